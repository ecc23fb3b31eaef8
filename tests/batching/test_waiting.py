from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.batching.deadlines import Deadlines
from perfwright.batching.waiting import BoundedLine, Item, Line, Priority


@pytest.fixture(name="loop", scope="module")
def fixture_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def item(
    loop: asyncio.AbstractEventLoop,
    data: int,
    *,
    priority: Priority = Priority.NORMAL,
    queued_s: float = 0.0,
) -> Item:
    return Item(
        data,
        future=loop.create_future(),
        priority=priority,
        queued_s=queued_s,
        timeout_s=1.0,
        learned=False,
    )


@given(arrivals=st.lists(st.tuples(st.sampled_from(Priority), st.floats(0.0, 10.0)), max_size=30))
def test_items_go_by_waiting_plus_priority(
    loop: asyncio.AbstractEventLoop, arrivals: list[tuple[Priority, float]]
) -> None:
    line = Line(ageing_s=2.0)
    times = sorted(queued_s for _, queued_s in arrivals)
    items = [
        item(loop, n, priority=priority, queued_s=queued_s)
        for n, ((priority, _), queued_s) in enumerate(zip(arrivals, times, strict=True))
    ]
    for one in items:
        line.add(one)
    taken = [i for _ in items for i in line.take(1)]
    keys = [i.queued_s - 2.0 * i.priority for i in taken]
    assert keys == sorted(keys)
    assert sorted(i.data for i in taken) == list(range(len(items)))


@given(steps=st.lists(st.sampled_from(["add", "cancel", "take"]), max_size=60))
def test_a_line_counts_who_waits(loop: asyncio.AbstractEventLoop, steps: list[str]) -> None:
    line = BoundedLine(places=5, ageing_s=1.0)
    waiting: list[Item] = []
    for number, step in enumerate(steps):
        if step == "add":
            waiting.append(item(loop, number, queued_s=float(number)))
            line.add(waiting[-1])
        elif step == "cancel" and waiting:
            gone = waiting.pop(number % len(waiting))
            gone.future.cancel()
            line.give_up(gone)
        elif step == "take":
            for taken in line.take(2):
                assert taken is waiting.pop(0)
        assert len(line) + line.outside == len(waiting)
        assert len(line) <= 5


@given(st.lists(st.tuples(st.floats(0.0, 100.0), st.booleans()), max_size=40))
def test_deadlines_ring_for_each_item_still_watched_just_after_its_time(
    loop: asyncio.AbstractEventLoop, plans: list[tuple[float, bool]]
) -> None:
    deadlines = Deadlines(resolution_s=0.01)
    watched: dict[Item, float] = {}
    for number, (deadline_s, keep) in enumerate(plans):
        one = item(loop, number)
        deadlines.add(one, deadline_s=deadline_s)
        if keep:
            watched[one] = deadline_s
        else:
            deadlines.discard(one)
    while (due_s := deadlines.next_s()) is not None:
        for one in deadlines.expired(now_s=due_s):
            assert 0.0 <= due_s - watched.pop(one) <= 0.0101
    assert watched == {}
