"""The limits of a change of a live server."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ConfigError
from perfwright.experiments.changes import Policy
from perfwright.experiments.changes.postgresql.guards import estimated_bytes
from perfwright.experiments.changes.postgresql.policy import Blocking


@pytest.mark.parametrize("seconds", [0.0, -1.0, 5.1])
def test_a_lock_timeout_that_would_hold_others_up_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match="lock_timeout_s"):
        Policy(lock_timeout_s=seconds)


def test_at_least_one_attempt_is_made() -> None:
    with pytest.raises(ConfigError, match="attempts"):
        Policy(attempts=0)


@given(st.integers(0, 50), st.integers())
def test_a_pause_never_exceeds_the_longest(attempt: int, seed: int) -> None:
    policy = Policy()
    assert 0.0 <= policy.pause_s(attempt, rng=random.Random(seed)) <= policy.longest_pause_s


def test_pauses_have_full_jitter() -> None:
    pauses = {Policy().pause_s(3, rng=random.Random(seed)) for seed in range(50)}
    assert min(pauses) < 0.5
    assert max(pauses) > 2.0


def test_a_build_ends_when_somebody_waits_too_long_for_it() -> None:
    blocking = Blocking(limit_s=1.0)
    answers = [blocking.must_end(waiting=True, now_s=now) for now in (10.0, 10.9, 11.0)]
    assert answers == [False, False, True]


def test_somebody_who_waits_no_longer_is_forgotten() -> None:
    blocking = Blocking(limit_s=1.0)
    blocking.must_end(waiting=True, now_s=10.0)
    blocking.must_end(waiting=False, now_s=10.5)
    assert not blocking.must_end(waiting=True, now_s=11.2)


def test_an_ordered_index_is_estimated_by_rows_and_widths() -> None:
    estimate = estimated_bytes(rows=9e5, widths=[8, None], table_bytes=0, ordered=True)
    assert estimate == pytest.approx(52e6, rel=0.01)


def test_another_index_is_estimated_by_its_table() -> None:
    assert estimated_bytes(rows=9e5, widths=[8], table_bytes=77, ordered=False) == 77
