"""Searching settings, with objectives whose best is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from perfwright.agents.database.postgresql import searching
from perfwright.agents.database.postgresql.searching import search, trimmed
from perfwright.agents.database.postgresql.spaces import Config, Room, Space, space_for
from perfwright.core import MissingExtraError

PRESENT = {"work_mem": 4096.0, "hash_mem_multiplier": 2.0, "random_page_cost": 4.0, "jit": 1.0}
SPACE = space_for(
    ["work_mem", "hash_mem_multiplier", "random_page_cost", "jit"],
    values=PRESENT,
    room=Room(memory_bytes=2.0**36, busy=4),
)


def never() -> bool:
    return False


def always() -> bool:
    return True


def time_of(config: Config) -> float:
    """Work memory helps up to 64 MB, compiling costs a tenth; the rest is of no use."""
    values = SPACE.values(config)
    return 1.0 - 0.1 * min(4, config[0]) - 0.1 * (values["jit"] == 0.0)


def ratio_of(time: Callable[[Config], float]) -> Callable[[Config, Config], float]:
    return lambda one, other: time(one) / time(other)


def test_the_best_is_found_within_the_suggestions() -> None:
    best, tried = search(SPACE, time_of, seed=1, time_is_up=never)
    assert time_of(best) <= 0.6
    assert 1 < tried <= searching.MAX_SUGGESTIONS


def test_the_same_seed_leads_the_same_way() -> None:
    first = search(SPACE, time_of, seed=3, time_is_up=never)
    assert search(SPACE, time_of, seed=3, time_is_up=never) == first


def test_where_nothing_helps_the_present_values_stay() -> None:
    assert search(SPACE, lambda _: 1.0, seed=1, time_is_up=never)[0] == SPACE.start


def test_a_gain_below_the_price_of_its_memory_is_none() -> None:
    slight: Callable[[Config], float] = lambda config: 1.0 - 0.001 * config[0]  # noqa: E731
    best, _ = search(SPACE, slight, seed=1, time_is_up=never)
    assert best[0] == 0


def test_nothing_is_measured_twice_and_the_present_values_never() -> None:
    seen: list[Config] = []

    def score(config: Config) -> float:
        seen.append(config)
        return time_of(config)

    search(SPACE, score, seed=1, time_is_up=never)
    assert len(seen) == len(set(seen))
    assert SPACE.start not in seen


def test_a_small_space_is_searched_to_its_end_and_not_longer() -> None:
    small = space_for(["jit"], values=PRESENT, room=SPACE.room)
    assert search(small, lambda config: 1.0 - 0.5 * config[0], seed=1, time_is_up=never) == (
        (1,),
        1,
    )


def test_without_time_nothing_is_measured() -> None:
    assert search(SPACE, time_of, seed=1, time_is_up=always) == (SPACE.start, 0)


def test_what_does_not_fit_into_the_memory_is_never_measured() -> None:
    tight = Space(ladders=SPACE.ladders, room=Room(memory_bytes=2.0**30, busy=4))
    seen: list[Config] = []

    def score(config: Config) -> float:
        seen.append(config)
        return time_of(config)

    search(tight, score, seed=1, time_is_up=never)
    assert seen
    assert all(tight.takes_kib(config) <= tight.room.each_kib for config in seen)


def test_optuna_keeps_silent_and_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    from optuna import logging

    before = logging.get_verbosity()
    search(SPACE, time_of, seed=1, time_is_up=never)
    assert logging.get_verbosity() == before
    assert capsys.readouterr() == ("", "")


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "is_installed", lambda: False)
    with pytest.raises(MissingExtraError, match=r"perfwright\[tuning\]"):
        search(SPACE, time_of, seed=1, time_is_up=never)


# --- Ablation ------------------------------------------------------------------------------------


def test_knobs_that_carry_nothing_go_back() -> None:
    found: Config = (4, 2, 5, 1)
    assert trimmed(SPACE, found, ratio=ratio_of(time_of), time_is_up=never) == (4, 0, 0, 1)


def test_no_more_memory_is_taken_than_carries() -> None:
    found: Config = (6, 0, 0, 0)
    assert trimmed(SPACE, found, ratio=ratio_of(time_of), time_is_up=never) == (4, 0, 0, 0)


def test_small_losses_do_not_add_up() -> None:
    def slope(config: Config) -> float:
        return 1.0 - 0.006 * config[0]

    assert trimmed(SPACE, (6, 0, 0, 0), ratio=ratio_of(slope), time_is_up=never) == (5, 0, 0, 0)


def test_of_two_that_do_the_same_the_harmless_one_stays() -> None:
    def either(config: Config) -> float:
        return 0.5 if config[0] or config[2] else 1.0

    assert trimmed(SPACE, (2, 0, 3, 0), ratio=ratio_of(either), time_is_up=never) == (0, 0, 1, 0)


def test_two_that_only_work_together_both_stay() -> None:
    def both(config: Config) -> float:
        return 0.5 if config[0] and config[3] else 1.0

    assert trimmed(SPACE, (1, 0, 0, 1), ratio=ratio_of(both), time_is_up=never) == (1, 0, 0, 1)


def test_what_there_is_no_time_to_look_at_goes_back() -> None:
    assert trimmed(SPACE, (4, 1, 1, 1), ratio=ratio_of(time_of), time_is_up=always) == SPACE.start
