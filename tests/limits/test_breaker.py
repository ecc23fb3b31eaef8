"""A breaker stops calls that keep failing, and lets few through to see whether they work again."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import BreakerOpenError, ConfigError, ManualClock
from perfwright.limits import BreakerState, CircuitBreaker, Permit


def breaker(**options: float | None) -> CircuitBreaker:
    """Opens after 3 failures in a row, for exactly 1 s at first."""
    chosen: dict[str, float | None] = {"consecutive_failures": 3, "open_s": 1.0, "jitter_ratio": 0}
    return CircuitBreaker(name="db", **(chosen | options))  # type: ignore[arg-type]


def state(of: CircuitBreaker) -> BreakerState:
    """Ask anew: a type checker believes that a property stays as it was."""
    return of.state


def allowed(of: CircuitBreaker, now_s: float) -> Permit:
    permit = of.allow(now_s)
    assert permit is not None
    return permit


def fail(of: CircuitBreaker, *, times: int = 1, now_s: float = 0.0) -> None:
    for _ in range(times):
        of.record_failure(allowed(of, now_s), now_s)


def opened(**options: float | None) -> CircuitBreaker:
    tripped = breaker(**options)
    fail(tripped, times=3)
    assert state(tripped) is BreakerState.OPEN
    return tripped


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    one = breaker()
    fail(one, times=2)
    assert state(one) is BreakerState.CLOSED
    fail(one)
    assert state(one) is BreakerState.OPEN
    assert one.allow(0.5) is None


def test_a_success_ends_the_row() -> None:
    one = breaker()
    fail(one, times=2)
    one.record_success(allowed(one, 0.0), 0.0)
    fail(one, times=2)
    assert state(one) is BreakerState.CLOSED


def test_it_opens_at_a_share_of_failures_within_the_window() -> None:
    one = breaker(consecutive_failures=None, failure_ratio=0.5, min_calls=4, window_s=10.0)
    for now_s in (0.0, 1.0):
        one.record_success(allowed(one, now_s), now_s)
        assert state(one) is BreakerState.CLOSED
        fail(one, now_s=now_s)
    assert state(one) is BreakerState.OPEN


def test_failures_before_the_window_are_forgotten() -> None:
    one = breaker(consecutive_failures=None, failure_ratio=0.5, min_calls=4, window_s=10.0)
    fail(one, times=3, now_s=0.0)
    fail(one, times=3, now_s=11.0)
    assert state(one) is BreakerState.CLOSED


def test_an_open_breaker_lets_one_probe_through_after_the_cooldown() -> None:
    one = opened()
    assert one.allow(0.999) is None
    assert one.allow(1.0) is not None
    assert state(one) is BreakerState.HALF_OPEN
    assert one.allow(1.0) is None


def test_a_probe_that_works_closes_it() -> None:
    one = opened()
    one.record_success(allowed(one, 1.0), 1.1)
    assert state(one) is BreakerState.CLOSED
    assert one.allow(1.1) is not None


def test_each_probe_that_fails_makes_the_next_wait_longer_up_to_a_bound() -> None:
    one = opened(growth=2.0, max_open_s=3.0)
    waits, now_s = [], 0.0
    for _ in range(4):
        waits.append(one.retry_after_s(now_s))
        now_s += one.retry_after_s(now_s)
        one.record_failure(allowed(one, now_s), now_s)
    assert waits == [1.0, 2.0, 3.0, 3.0]


def test_the_wait_is_short_again_once_it_has_closed() -> None:
    one = opened()
    one.record_failure(allowed(one, 1.0), 1.0)
    one.record_success(allowed(one, 3.0), 3.0)
    fail(one, times=3, now_s=4.0)
    assert one.retry_after_s(4.0) == 1.0


def test_a_cancelled_probe_gives_its_place_to_another() -> None:
    one = opened()
    one.release(allowed(one, 1.0))
    assert one.allow(1.0) is not None


def test_a_probe_that_never_reports_loses_its_place() -> None:
    one = opened(probe_timeout_s=30.0)
    allowed(one, 1.0)
    assert one.allow(30.9) is None
    assert one.allow(31.0) is not None


def test_several_probes_must_work_before_it_closes() -> None:
    one = opened(probes=2)
    first, second = allowed(one, 1.0), allowed(one, 1.0)
    assert one.allow(1.0) is None
    one.record_success(first, 1.1)
    assert state(one) is BreakerState.HALF_OPEN
    one.record_success(second, 1.1)
    assert state(one) is BreakerState.CLOSED


def test_a_late_success_from_before_it_opened_does_not_close_it() -> None:
    one = breaker()
    late = allowed(one, 0.0)
    fail(one, times=3)
    allowed(one, 1.0)
    one.record_success(late, 1.0)
    assert state(one) is BreakerState.HALF_OPEN


def test_a_late_failure_from_before_it_opened_does_not_open_it_again() -> None:
    one = breaker()
    late = allowed(one, 0.0)
    fail(one, times=3)
    one.record_success(allowed(one, 1.0), 1.0)
    for _ in range(5):
        one.record_failure(late, 1.0)
    assert state(one) is BreakerState.CLOSED


@given(st.randoms(use_true_random=False))
def test_jitter_stays_within_its_share(rng: random.Random) -> None:
    one = CircuitBreaker(consecutive_failures=1, open_s=10.0, jitter_ratio=0.2, rng=rng)
    fail(one)
    assert 8.0 <= one.retry_after_s(0.0) <= 12.0


@given(
    st.lists(st.tuples(st.sampled_from(["ok", "fail", "release"]), st.floats(0.0, 5.0))),
    st.integers(1, 3),
)
def test_no_more_probes_than_allowed_are_under_way(
    steps: list[tuple[str, float]], probes: int
) -> None:
    one = breaker(probes=probes, consecutive_failures=1)
    now_s, out = 0.0, list[Permit]()
    for what, passed_s in steps:
        now_s += passed_s
        was = one.state
        if (permit := one.allow(now_s)) is not None and one.state is BreakerState.HALF_OPEN:
            out = [permit] if was is BreakerState.OPEN else [*out, permit]
            assert len(out) <= probes
        if permit is None:
            continue
        if what == "ok":
            one.record_success(permit, now_s)
        elif what == "fail":
            one.record_failure(permit, now_s)
        else:
            one.release(permit)
        out = [other for other in out if other is not permit]


def test_the_guard_refuses_while_open() -> None:
    calls = []
    with (
        pytest.raises(BreakerOpenError, match=r"'db' is open.* 0\.5 s") as caught,
        opened().guard(ManualClock(0.5)),
    ):
        calls.append(1)
    assert calls == []
    assert caught.value.retry_after_s == 0.5


def test_the_guard_counts_failures() -> None:
    one = breaker()
    for _ in range(3):
        with pytest.raises(OSError, match="gone"), one.guard(ManualClock()):
            raise OSError("gone")
    assert state(one) is BreakerState.OPEN


@pytest.mark.parametrize("stop", [asyncio.CancelledError, ValueError])
def test_the_guard_does_not_count_what_says_nothing_about_the_other_side(
    stop: type[BaseException],
) -> None:
    one = breaker(consecutive_failures=1)
    with pytest.raises(stop), one.guard(ManualClock(), failures=(OSError,)):
        raise stop
    assert one.snapshot(0.0).failures == 0
    assert state(one) is BreakerState.CLOSED


def test_the_snapshot_tells_state_and_counts() -> None:
    one = opened()
    assert one.allow(0.25) is None
    shot = one.snapshot(0.25)
    assert (shot.state, shot.failures, shot.refused) == (BreakerState.OPEN, 3, 1)
    assert (shot.times_opened, shot.retry_after_s) == (1, 0.75)


def test_the_metrics_show_the_state_it_is_in() -> None:
    states = {
        metric.labels["state"]: metric.value
        for metric in opened().metrics()
        if metric.name == "breaker_state"
    }
    assert states == {"CLOSED": 0.0, "OPEN": 1.0, "HALF_OPEN": 0.0}


@pytest.mark.parametrize(
    "options",
    [
        {"consecutive_failures": 0},
        {"consecutive_failures": None},
        {"failure_ratio": 1.5},
        {"open_s": 0.0},
        {"open_s": 5.0, "max_open_s": 1.0},
        {"growth": 0.5},
        {"jitter_ratio": 1.0},
        {"probes": 0},
        {"window_s": float("nan")},
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, float | None]) -> None:
    with pytest.raises(ConfigError):
        breaker(**options)
