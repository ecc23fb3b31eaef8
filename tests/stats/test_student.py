"""Tails of Student's t against scipy's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from perfwright.stats.student import student_tail

FREEDOM = st.floats(0.5, 1e6)


@given(st.floats(-60, 60), FREEDOM)
def test_the_tail_is_scipys(t: float, freedom: float) -> None:
    assert student_tail(t, freedom=freedom) == pytest.approx(
        scipy_stats.t.sf(t, freedom), rel=1e-6, abs=1e-290
    )


@given(st.floats(-60, 60), FREEDOM)
def test_both_tails_are_everything(t: float, freedom: float) -> None:
    both = student_tail(t, freedom=freedom) + student_tail(-t, freedom=freedom)
    assert both == pytest.approx(1.0)


def test_an_infinite_statistic_has_no_tail() -> None:
    assert student_tail(math.inf, freedom=3) == 0.0
    assert student_tail(-math.inf, freedom=3) == 1.0


def test_with_infinite_freedom_it_is_the_normal_tail() -> None:
    assert student_tail(1.959964, freedom=math.inf) == pytest.approx(0.025, rel=1e-5)


@pytest.mark.parametrize(("t", "freedom"), [(math.nan, 3), (1, 0), (1, -2), (1, math.nan)])
def test_what_has_no_tail_is_refused(t: float, freedom: float) -> None:
    with pytest.raises(ValueError, match="no tail"):
        student_tail(t, freedom=freedom)
