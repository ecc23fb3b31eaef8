from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm.bulk.deferral import Completions, decide, next_poll_s


def test_without_a_deadline_half_the_price_wins() -> None:
    found = decide(requests=5, deadline_s=None, direct_per_s=1.0, expected_s=3_600.0)
    assert (found.deferred, found.patience_s) == (True, math.inf)
    assert "no deadline" in found.reason


def test_a_far_deadline_leaves_time_for_a_batch() -> None:
    found = decide(requests=800, deadline_s=7_200.0, direct_per_s=1.0, expected_s=3_600.0)
    assert (found.deferred, found.patience_s) == (True, 6_200.0)
    assert "expected to take 3,600 s" in found.reason


def test_a_near_deadline_is_kept_the_direct_way() -> None:
    found = decide(requests=100, deadline_s=3_600.0, direct_per_s=10.0, expected_s=3_600.0)
    assert not found.deferred
    assert "too little is left" in found.reason


def test_nothing_is_not_deferred() -> None:
    assert not decide(requests=0, deadline_s=None, direct_per_s=1.0, expected_s=1.0).deferred


@given(
    st.integers(1, 10**6), st.floats(0.1, 10**6), st.floats(0.1, 10**4), st.floats(0.1, 90_000.0)
)
def test_the_direct_way_always_keeps_its_time(
    requests: int, deadline_s: float, direct_per_s: float, expected_s: float
) -> None:
    found = decide(
        requests=requests,
        deadline_s=deadline_s,
        direct_per_s=direct_per_s,
        expected_s=expected_s,
    )
    if found.deferred:
        assert found.patience_s >= expected_s
        assert found.patience_s + requests / direct_per_s <= deadline_s
    assert 0.0 <= found.patience_s <= deadline_s


def test_what_batches_took_is_believed_after_three() -> None:
    known = Completions(declared_s=3_600.0)
    for seconds in (100.0, 200.0):
        known.learn(seconds)
    assert known.expected_s == 3_600.0
    known.learn(900.0)
    assert known.expected_s == 900.0


def test_nine_of_ten_batches_take_no_longer_than_expected() -> None:
    known = Completions()
    for seconds in range(1, 21):
        known.learn(float(seconds))
    assert known.expected_s == 18.0


@given(st.floats(0.0, 10**5), st.floats(0.0, 10**5))
def test_polls_become_rarer_without_missing_the_end(waited_s: float, left_s: float) -> None:
    wait_s = next_poll_s(waited_s, left_s=left_s)
    assert 0.0 <= wait_s <= min(60.0, left_s)
    assert wait_s >= min(2.0, left_s)
