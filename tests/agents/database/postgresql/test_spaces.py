"""What is searched, as far as the memory allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.agents.database.postgresql.knobs import KNOBS
from perfwright.agents.database.postgresql.spaces import (
    GUESSED_MEMORY,
    NODES,
    WORK_SHARE,
    Room,
    Space,
    room_of,
    space_for,
)
from perfwright.agents.database.server import ConnectionCount, ServerState, Setting

GIB = 2**30
PRESENT = {"work_mem": 4096.0, "hash_mem_multiplier": 2.0, "random_page_cost": 4.0, "jit": 1.0}
PLENTY = Room(memory_bytes=64 * GIB, busy=4)


def space(*names: str, room: Room = PLENTY, **values: float) -> Space:
    return space_for(names, values={**PRESENT, **values}, room=room)


def test_the_present_value_stands_first() -> None:
    assert space("work_mem").ladders[0].values[:2] == (4096.0, 8192.0)


def test_a_knob_at_its_bound_is_not_searched() -> None:
    assert space("jit", jit=0.0).ladders == ()


def test_a_knob_that_is_not_known_here_is_not_searched() -> None:
    assert space_for(["jit"], values={}, room=PLENTY).ladders == ()


def test_a_knob_is_searched_once() -> None:
    assert len(space("jit", "jit").ladders) == 1


def test_little_memory_bounds_what_sorts_may_take() -> None:
    room = Room(memory_bytes=1 * GIB, busy=10)
    (ladder,) = space("work_mem", room=room, hash_mem_multiplier=1.0).ladders
    assert ladder.values[-1] * 1024 * NODES * room.busy <= WORK_SHARE * GIB
    assert ladder.values[-1] == 8 * 1024


def test_no_memory_leaves_work_mem_alone() -> None:
    assert space("work_mem", room=Room(memory_bytes=GIB / 8, busy=100)).ladders == ()


def test_the_cache_that_the_planner_expects_stays_below_the_memory() -> None:
    room = Room(memory_bytes=10 * GIB, busy=4)
    (ladder,) = space("effective_cache_size", room=room, effective_cache_size=1024.0**2).ladders
    assert ladder.values == (1 * 1024.0**2, 2 * 1024.0**2, 4 * 1024.0**2)


def test_two_memory_knobs_are_lowered_together_until_they_fit() -> None:
    room = Room(memory_bytes=2 * GIB, busy=4)
    both = space("work_mem", "hash_mem_multiplier", room=room)
    top = tuple(len(ladder.values) - 1 for ladder in both.ladders)
    assert both.takes_kib(top) > room.each_kib
    assert both.takes_kib(both.fit(top)) <= room.each_kib


def test_the_present_values_fit_even_where_they_are_too_large() -> None:
    tight = Space(ladders=space("work_mem").ladders, room=Room(memory_bytes=1.0, busy=1))
    assert tight.fit((3,)) == tight.start


@given(
    memory=st.floats(1.0, 1e12),
    busy=st.floats(1.0, 1e4),
    rungs=st.tuples(st.integers(0, 6), st.integers(0, 2)),
)
def test_what_fits_never_takes_more_than_there_is_or_was(
    memory: float, busy: float, rungs: tuple[int, int]
) -> None:
    roomy = space("work_mem", "hash_mem_multiplier")
    tight = Space(ladders=roomy.ladders, room=Room(memory_bytes=memory, busy=busy))
    fitting = tight.fit(rungs)
    assert tight.takes_kib(fitting) <= max(tight.room.each_kib, tight.takes_kib(tight.start))
    assert all(low <= high for low, high in zip(fitting, rungs, strict=True))


def test_memory_has_a_price_and_a_cheaper_page_has_none() -> None:
    both = space("work_mem", "random_page_cost")
    assert both.price((0, 3)) == 0.0
    assert both.price((2, 0)) == pytest.approx(2 * both.price((1, 0)))
    assert both.price((1, 0)) > 0.0


def test_only_what_changes_is_set() -> None:
    both = space("work_mem", "jit")
    assert both.texts((0, 1)) == {"jit": "off"}


def test_the_first_guess_is_what_experience_says() -> None:
    guess = space("work_mem", "random_page_cost", "jit")
    assert guess.texts(guess.first_guess()) == {
        "work_mem": "16MB",
        "random_page_cost": "1.1",
        "jit": "off",
    }


# --- Room ----------------------------------------------------------------------------------------


def server(*settings: Setting, allowed: int = 100, active: int = 1) -> ServerState:
    return ServerState(
        settings=settings,
        max_connections=allowed,
        connections=(
            ConnectionCount(state="active", count=active),
            ConnectionCount(state="idle", count=80),
        ),
    )


def buffers(mib: int, *, source: str = "configuration file") -> Setting:
    return Setting(name="shared_buffers", value=str(mib * 128), unit="8kB", source=source)


@pytest.mark.parametrize(
    ("allowed", "active", "busy"),
    [(100, 1, 10.0), (20, 1, 4.0), (100, 30, 60.0), (500, 1, 50.0), (50, 60, 50.0)],
)
def test_allowed_and_active_connections_share_the_memory(
    allowed: int, active: int, busy: float
) -> None:
    assert room_of(server(allowed=allowed, active=active), memory_bytes=None).busy == busy


def test_known_memory_counts_before_what_settings_say() -> None:
    assert room_of(server(buffers(1024)), memory_bytes=8.0 * GIB).memory_bytes == 8.0 * GIB


def test_buffers_that_somebody_set_tell_the_memory() -> None:
    assert room_of(server(buffers(4096)), memory_bytes=None).memory_bytes == 16 * GIB


def test_buffers_that_nobody_set_tell_nothing() -> None:
    seen = room_of(server(buffers(4096, source="default")), memory_bytes=None)
    assert seen.memory_bytes == GUESSED_MEMORY


def test_of_two_that_were_set_the_smaller_memory_is_believed() -> None:
    cache = Setting(
        name="effective_cache_size", value=str(6 * GIB // 8192), unit="8kB", source="database"
    )
    assert room_of(server(buffers(4096), cache), memory_bytes=None).memory_bytes == 8 * GIB


def test_every_first_guess_lies_within_the_bounds() -> None:
    assert all(min(knob.rungs) <= knob.first <= max(knob.rungs) for knob in KNOBS.values())
