"""Two series compared by groups."""

from __future__ import annotations

import math
import random

import pytest
from scipy import stats as scipy_stats

from perfwright.core import TooFewSamplesError
from perfwright.stats.groups import group_shift


def series(rng: random.Random, *, level: float = 0.0, memory: float = 0.0) -> list[float]:
    state, values = 0.0, []
    for _ in range(160):
        state = memory * state + rng.gauss(0.0, 1.0)
        values.append(level + state)
    return values


@pytest.mark.parametrize("memory", [0.0, 0.6, 0.8])
def test_series_that_remember_cause_no_more_false_alarms_than_said(memory: float) -> None:
    rng = random.Random(3)
    alarms = sum(
        group_shift(series(rng, memory=memory), series(rng, memory=memory)).p_higher <= 0.05
        for _ in range(300)
    )
    assert alarms <= 24  # 15 are expected, 3 more in 10 runs by chance


def test_a_higher_series_is_found_higher() -> None:
    rng = random.Random(1)
    shift = group_shift(series(rng), series(rng, level=1.0))
    assert shift.p_higher < 0.001
    assert shift.p_lower > 0.999
    assert shift.value == pytest.approx(1.0, abs=0.3)


def test_one_value_for_each_group_is_welchs_statistic() -> None:
    one, two = [1.0, 2.0, 4.0, 3.0], [2.0, 5.0, 5.0, 6.0]
    shift = group_shift(one, two, groups=4)
    welch = scipy_stats.ttest_ind(two, one, equal_var=False)
    assert shift.value / shift.error == pytest.approx(welch.statistic)
    assert shift.p_higher == pytest.approx(scipy_stats.t.sf(welch.statistic, 3))


def test_equal_constants_do_not_differ() -> None:
    shift = group_shift([1.0] * 8, [1.0] * 8)
    assert shift.p_higher == shift.p_lower == pytest.approx(0.5)


def test_different_constants_differ_for_sure() -> None:
    assert group_shift([1.0] * 8, [2.0] * 8).p_higher == 0.0
    assert math.isclose(group_shift([2.0] * 8, [1.0] * 8).p_lower, 0.0)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_fewer_values_than_groups_are_refused(count: int) -> None:
    with pytest.raises(TooFewSamplesError, match="8 are needed"):
        group_shift([1.0] * count, [1.0] * 20)
