"""Rates from headers, which name an amount but not the time that it is for."""

from __future__ import annotations

import pytest

from perfwright.limits import Rate
from perfwright.llm.endpoints.told import ToldLimit


def test_a_limit_is_of_a_minute_unless_something_else_shows() -> None:
    assert ToldLimit().note(600, left=599, reset_s=0.1) == Rate(10.0, 600.0)


def test_a_small_bucket_behind_a_minute_limit_shows_in_what_is_left() -> None:
    told = ToldLimit().note(6_000, left=15, reset_s=0.05)
    assert told is not None
    assert told.per_s == 100.0
    assert told.burst == pytest.approx(20.0)


def test_a_limit_of_a_day_shows_in_its_slow_return() -> None:
    told = ToldLimit()
    told.note(10_000, left=9_990, reset_s=86.4)
    assert told.rate is not None
    assert told.rate.per_s == pytest.approx(10_000 / 86_400)


def test_a_limit_of_a_second_shows_in_its_fast_return() -> None:
    told = ToldLimit()
    told.note(100, left=80, reset_s=0.2)
    assert told.rate is not None
    assert told.rate.per_s == pytest.approx(100.0)


def test_an_empty_bucket_that_is_full_in_a_second_may_still_be_of_a_minute() -> None:
    told = ToldLimit()
    for left in (20, 0, 40, 500):
        told.note(60_000, left=left, reset_s=(1_000 - left) / 1_000)
    assert told.rate == Rate(1_000.0, 1_000.0)


def test_the_same_again_is_no_news() -> None:
    told = ToldLimit()
    told.note(600, left=300, reset_s=30.0)
    assert told.note(600, left=200, reset_s=40.0) is None


@pytest.mark.parametrize(("limit", "left"), [(None, 5), (600, None), (0, 0)])
def test_half_a_story_tells_nothing(limit: int | None, left: int | None) -> None:
    assert ToldLimit().note(limit, left=left, reset_s=1.0) is None


def test_no_reset_leaves_the_burst_at_what_is_left() -> None:
    assert ToldLimit().note(600, left=20, reset_s=None) == Rate(10.0, 20.0)
