"""Clocks: the machine's own, and one that moves when told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from perfwright.core import ManualClock, SystemClock


def test_a_manual_clock_stands_still_until_it_is_told_to_move() -> None:
    clock = ManualClock()
    assert (clock.now(), clock.now()) == (0.0, 0.0)
    asyncio.run(clock.sleep(2.5))
    assert clock.now() == 2.5


def test_a_manual_clock_lets_other_tasks_run_while_it_sleeps() -> None:
    order: list[str] = []

    async def sleeper(clock: ManualClock) -> None:
        await clock.sleep(60.0)
        order.append("woke")

    async def both() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sleeper(ManualClock()))
            order.append("other")

    asyncio.run(both())
    assert order == ["other", "woke"]


def test_a_manual_clock_has_the_date_that_it_was_given() -> None:
    start = datetime(2030, 5, 1, tzinfo=UTC)
    assert ManualClock(start=start).today() == start


def test_the_machine_clock_never_goes_backwards() -> None:
    clock = SystemClock()
    times = [clock.now() for _ in range(100)]
    assert times == sorted(times)


def test_the_machine_date_is_in_utc() -> None:
    assert SystemClock().today().tzinfo is UTC


def test_the_machine_clock_waits_on_the_event_loop() -> None:
    assert asyncio.run(SystemClock().sleep(0.0)) is None
