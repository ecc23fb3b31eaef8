"""A bucket never gives more than its rate over any window, whatever is taken and given back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ConfigError
from perfwright.limits import Rate, TokenBucket
from tests.limits.windows import assert_never_over

RATES = st.builds(Rate, st.floats(0.1, 1_000.0), st.floats(1.0, 100.0))
SHARES = st.floats(0.0, 1.0)
STEPS = st.lists(st.tuples(st.floats(0.0, 3.0), SHARES, SHARES, st.integers(0, 20)), max_size=60)


def test_it_starts_full() -> None:
    bucket = TokenBucket(Rate(1.0, 3.0))
    assert [bucket.try_take(1.0, 0.0) for _ in range(4)] == [True, True, True, False]


def test_it_gains_its_rate() -> None:
    bucket = TokenBucket(Rate(10.0, 5.0), missing=5.0)
    assert bucket.available(0.3) == pytest.approx(3.0)
    assert bucket.available(9.0) == 5.0


def test_it_says_how_long_to_wait() -> None:
    bucket = TokenBucket(Rate(10.0, 5.0), missing=5.0)
    assert bucket.wait_s(2.0, 0.0) == pytest.approx(0.2)


def test_a_cost_above_the_burst_waits_for_a_full_bucket() -> None:
    bucket = TokenBucket(Rate(1.0, 5.0), missing=2.0)
    assert bucket.wait_s(12.0, 0.0) == pytest.approx(2.0)
    assert bucket.try_take(12.0, 2.0)
    assert bucket.available(2.0) == -7.0


def test_what_was_used_beyond_the_estimate_is_a_debt() -> None:
    bucket = TokenBucket(Rate(1.0, 5.0))
    assert bucket.try_take(5.0, 0.0)
    bucket.charge(3.0, 0.0)
    assert bucket.wait_s(1.0, 0.0) == pytest.approx(4.0)


def test_what_is_given_back_at_once_is_there_again() -> None:
    bucket = TokenBucket(Rate(1.0, 5.0))
    assert bucket.try_take(5.0, 0.0)
    assert bucket.give_back(4.0, 0.0, slot_s=0.0) == 4.0
    assert bucket.try_take(4.0, 0.0)


def test_what_is_given_back_late_is_worth_nothing_where_the_bucket_has_been_full_since() -> None:
    bucket = TokenBucket(Rate(1.0, 5.0))
    assert bucket.try_take(5.0, 0.0)
    assert bucket.try_take(5.0, 5.0)  # it was full again: with or without the first call
    assert bucket.give_back(5.0, 5.0, slot_s=0.0) == 0.0
    assert not bucket.try_take(1.0, 5.0)


def test_what_is_given_back_late_counts_where_the_bucket_has_been_short_since() -> None:
    bucket = TokenBucket(Rate(1.0, 10.0))
    assert bucket.try_take(10.0, 0.0)
    assert bucket.try_take(2.0, 3.0)
    assert bucket.give_back(6.0, 4.0, slot_s=0.0) == 6.0


def test_a_place_given_up_before_the_last_one_does_not_move_those_behind() -> None:
    bucket = TokenBucket(Rate(1.0, 1.0), missing=1.0)
    first, second = bucket.reserve(1.0, 0.0), bucket.reserve(1.0, 0.0)
    assert bucket.give_back(1.0, 0.5, slot_s=first) == 0.0
    assert 0.5 + bucket.reserve(1.0, 0.5) == pytest.approx(second + 1.0)


def test_the_last_place_is_given_back_in_full() -> None:
    bucket = TokenBucket(Rate(1.0, 1.0), missing=1.0)
    wait_s = bucket.reserve(1.0, 0.0)
    assert bucket.give_back(1.0, 0.0, slot_s=wait_s) == 1.0
    assert bucket.reserve(1.0, 0.0) == wait_s


def test_a_new_rate_leaves_what_is_missing() -> None:
    bucket = TokenBucket(Rate(1.0, 10.0))
    assert bucket.try_take(10.0, 0.0)
    bucket.set_rate(Rate(5.0, 10.0), 2.0)
    assert bucket.available(2.0) == 2.0
    assert bucket.available(3.0) == 7.0


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(Rate(1.0, 5.0), now_s=10.0, missing=5.0)
    assert bucket.available(3.0) == 0.0


@given(RATES, STEPS)
def test_it_never_exceeds_its_rate_over_any_window(
    rate: Rate, steps: list[tuple[float, float, float, int]]
) -> None:
    bucket, now_s, used = TokenBucket(rate), 0.0, list[tuple[float, float]]()
    for passed_s, share, _, _ in steps:
        now_s += passed_s
        if bucket.try_take(share * rate.burst, now_s):
            used.append((now_s, share * rate.burst))
    assert_never_over(used, rate)


@given(RATES, STEPS)
def test_refunds_do_not_break_the_promise(
    rate: Rate, steps: list[tuple[float, float, float, int]]
) -> None:
    bucket, now_s = TokenBucket(rate), 0.0
    used: list[list[float]] = []  # moment, cost
    open_calls: list[list[float]] = []
    for passed_s, share, unused, which in steps:
        now_s += passed_s
        cost = share * rate.burst
        call = [now_s + bucket.reserve(cost, now_s), cost]
        used.append(call)
        open_calls.append(call)
        if which % 2:
            settled = open_calls.pop(which % len(open_calls))
            back = unused * settled[1]
            bucket.give_back(back, now_s, slot_s=settled[0])
            settled[1] -= back
    assert_never_over([(at_s, cost) for at_s, cost in used], rate)


@given(RATES, st.lists(st.tuples(st.floats(0.0, 1.0), SHARES), min_size=1, max_size=30))
def test_who_waits_as_told_is_let_through(rate: Rate, steps: list[tuple[float, float]]) -> None:
    bucket, now_s = TokenBucket(rate), 0.0
    for passed_s, share in steps:
        now_s += passed_s
        now_s += bucket.wait_s(share * rate.burst, now_s)
        now_s += 1e-9 * (1.0 + now_s)  # no clock is finer
        assert bucket.try_take(share * rate.burst, now_s)


@given(RATES, STEPS)
def test_its_state_survives_as_numbers(
    rate: Rate, steps: list[tuple[float, float, float, int]]
) -> None:
    bucket, now_s = TokenBucket(rate), 0.0
    for passed_s, share, _, _ in steps:
        now_s += passed_s
        copy = TokenBucket.load(rate, bucket.dump())
        assert copy.reserve(share * rate.burst, now_s) == bucket.reserve(share * rate.burst, now_s)
        assert copy.dump() == bucket.dump()


@pytest.mark.parametrize(
    ("per_s", "burst"), [(0.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (float("inf"), 1.0)]
)
def test_a_rate_that_is_none_is_refused(per_s: float, burst: float) -> None:
    with pytest.raises(ConfigError):
        Rate(per_s, burst)


def test_the_burst_is_by_default_what_one_second_brings() -> None:
    assert Rate(50.0).burst == 50.0
    assert Rate.per_minute(6.0) == Rate(0.1, 1.0)
