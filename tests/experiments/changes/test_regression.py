"""When traffic says that a change must be taken back."""

from __future__ import annotations

from perfwright.experiments.changes.postgresql.regression import Counters, Traffic, judge, since

CONTROLS = ("c1", "c2", "c3")


def traffic(mean_ms: float, *, calls: int = 100, controls_ms: float = 1.0) -> dict[str, Traffic]:
    """One guarded shape, and others that do not touch the table."""
    others = {
        name: Traffic(calls=100, total_ms=100 * controls_ms, touches=False) for name in CONTROLS
    }
    guarded = Traffic(calls=calls, total_ms=calls * mean_ms, text="SELECT x FROM t")
    return {"guarded": guarded, **others}


BEFORE = traffic(1.0)


def problem(*slices: Counters) -> str | None:
    return judge(BEFORE, slices).problem


def test_a_statement_that_stays_slower_takes_the_change_back() -> None:
    found = problem(traffic(3.0), traffic(3.0))
    assert found == "SELECT x FROM t takes 3 ms instead of 1 (100 calls)"


def test_one_slow_slice_is_no_regression() -> None:
    assert problem(traffic(3.0), traffic(1.0)) is None


def test_a_slow_start_is_forgiven() -> None:
    assert problem(traffic(9.0), traffic(1.1), traffic(1.0)) is None


def test_a_single_slice_decides_nothing() -> None:
    assert problem(traffic(9.0)) is None


def test_a_small_difference_is_no_regression() -> None:
    assert problem(traffic(1.4), traffic(1.4)) is None


def test_a_server_that_is_slower_as_a_whole_takes_nothing_back() -> None:
    slower = traffic(3.0, controls_ms=3.0)
    assert problem(slower, slower) is None


def test_others_that_got_faster_accuse_nobody() -> None:
    faster = traffic(1.0, controls_ms=0.2)
    assert problem(faster, faster) is None


def test_a_statement_that_hardly_counts_takes_nothing_back() -> None:
    heavy = {**traffic(3.0), "heavy": Traffic(calls=100, total_ms=1e6, touches=False)}
    assert problem(heavy, heavy) is None


def test_few_calls_are_not_judged() -> None:
    few = traffic(9.0, calls=5)
    assert judge(BEFORE, [few, few]).note == "not enough traffic to judge"


def test_a_statement_without_a_past_is_not_judged() -> None:
    new = {"new": Traffic(calls=100, total_ms=1e4)}
    assert judge(BEFORE, [new, new]).note == "not enough traffic to judge"


def test_what_was_watched_is_said() -> None:
    assert judge(BEFORE, [traffic(1.0)]).note == "1 statement watched, none got slower"


def test_the_traffic_between_two_readings_is_their_difference() -> None:
    (one,) = since(
        {"a": Traffic(calls=30, total_ms=50.0)}, {"a": Traffic(calls=10, total_ms=20.0)}
    ).values()
    assert (one.calls, one.total_ms) == (20, 30.0)


def test_counters_that_were_reset_are_left_out() -> None:
    reset = since({"a": Traffic(calls=3, total_ms=1.0)}, {"a": Traffic(calls=10, total_ms=20.0)})
    assert reset == {}
