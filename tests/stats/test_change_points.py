"""Change points: found where they are, not found where nothing changed, memory or not."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from perfwright.core import ConfigError
from perfwright.stats.change_points import best_split, change_p_value, change_points

VALUES = st.lists(st.floats(0.001, 1000), max_size=60)


def lognormal(rng: random.Random, count: int) -> list[float]:
    return [rng.lognormvariate(-3.0, 0.2) for _ in range(count)]


def heavy(rng: random.Random, count: int) -> list[float]:
    return [rng.lognormvariate(-3.0, 1.2) for _ in range(count)]


def remembering(rng: random.Random, count: int) -> list[float]:
    """Each value is 60 % of the one before it."""
    state, values = 0.0, []
    for _ in range(count + 30):
        state = 0.6 * state + rng.gauss(0.0, 0.2)
        values.append(math.exp(state))
    return values[30:]


Noise = Callable[[random.Random, int], list[float]]


def stepped(*levels: tuple[int, float], seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [level * rng.lognormvariate(0.0, 0.1) for count, level in levels for _ in range(count)]


@pytest.mark.parametrize("noise", [lognormal, heavy])
def test_what_did_not_change_is_seldom_said_to_have_changed(noise: Noise) -> None:
    rng = random.Random(7)
    alarms = sum(bool(change_points(noise(rng, 60), false_alarm_rate=0.05)) for _ in range(400))
    assert alarms <= 30  # 20 are expected, 3 in 100 times more than 30


def test_values_that_remember_cause_a_tenth_of_the_false_alarms_of_students_t() -> None:
    rng = random.Random(7)
    ours = students = 0
    for _ in range(100):
        values = remembering(rng, 200)
        ours += bool(change_points(values, false_alarm_rate=0.01, window=200))
        logs = [math.log(value) for value in values]
        place = best_split(logs)
        students += scipy_stats.ttest_ind(logs[:place], logs[place:]).pvalue <= 0.01
    assert ours <= students / 10  # of 300: 12 and 272


@pytest.mark.parametrize("seed", range(5))
def test_a_step_is_found_where_it_is(seed: int) -> None:
    (found,) = change_points(stepped((40, 1.0), (30, 1.5), seed=seed))
    assert abs(found.index - 40) <= 1
    assert found.change == pytest.approx(0.5, abs=0.15)
    assert found.p_value <= 0.001


@pytest.mark.parametrize("level", [2.0, 5.0, 100.0])
def test_a_young_step_far_from_the_old_level_is_found_from_ten_values(level: float) -> None:
    found = [bool(change_points(stepped((60, 1.0), (10, level), seed=seed))) for seed in range(20)]
    assert sum(found) >= 10


def test_a_step_down_has_a_negative_change() -> None:
    (found,) = change_points(stepped((30, 1.0), (30, 0.5)))
    assert found.change == pytest.approx(-0.5, abs=0.1)


def test_each_of_several_steps_is_found() -> None:
    found = change_points(stepped((40, 1.0), (40, 2.0), (40, 1.0), (40, 3.0)))
    places = [point.index for point in found]
    assert [round(place / 10) for place in places] == [4, 8, 12]


def test_steps_of_a_long_series_are_found_in_every_window() -> None:
    levels = [(60, 1.0 + (number % 2)) for number in range(10)]
    found = change_points(stepped(*levels))
    assert len(found) == 9


def test_a_few_outliers_are_no_change() -> None:
    values = stepped((60, 1.0))
    for place in (20, 21, 45):
        values[place] = 50.0
    assert change_points(values) == []


def test_changes_that_are_too_small_to_matter_are_left_out() -> None:
    values = stepped((50, 1.0), (50, 1.5))
    assert change_points(values, min_change=0.2)
    assert change_points(values, min_change=0.9) == []


def test_a_step_beside_one_that_is_too_small_is_still_found() -> None:
    values = stepped((40, 1.0), (20, 1.3), (40, 3.0))
    (found,) = change_points(values, min_change=0.5)
    assert abs(found.index - 60) <= 1
    assert found.before == pytest.approx(1.1, abs=0.1)


def test_small_steps_that_add_up_are_one_large_one() -> None:
    values = stepped((30, 1.0), (30, 1.4), (30, 2.0))
    assert len(change_points(values)) == 2
    assert len(change_points(values, min_change=0.5)) == 1


def test_zeros_and_negatives_are_compared_as_they_are() -> None:
    values = [0.0, -0.1, 0.1] * 10 + [5.0, 5.1, 4.9] * 10
    (found,) = change_points(values)
    assert found.index == 30
    assert found.change == math.inf


def test_noiseless_steps_are_found() -> None:
    (found,) = change_points([1.0] * 20 + [2.0] * 20)
    assert (found.index, found.before, found.after) == (20, 1.0, 2.0)


def test_equal_values_hold_no_change() -> None:
    assert change_points([3.0] * 80) == []


@pytest.mark.parametrize("count", range(20))
def test_too_few_values_decide_nothing(count: int) -> None:
    assert change_points([1.0] * (count // 2) + [9.0] * (count - count // 2)) == []


@given(VALUES)
def test_points_are_in_order_and_far_enough_apart(values: list[float]) -> None:
    places = [point.index for point in change_points(values, false_alarm_rate=0.2)]
    bounds = [0, *places, len(values)]
    assert all(high - low >= 5 for low, high in itertools.pairwise(bounds)) or not places


@given(VALUES, st.floats(0.01, 100))
def test_another_unit_does_not_matter(values: list[float], unit: float) -> None:
    scaled = [value * unit for value in values]
    assert change_p_value(scaled) == pytest.approx(change_p_value(values), rel=1e-6)


@given(st.lists(st.integers(0, 5).map(float), min_size=20, max_size=40))
def test_the_p_value_is_the_same_read_backwards(values: list[float]) -> None:
    assert change_p_value(values[::-1]) == pytest.approx(change_p_value(values), rel=1e-6)


@given(st.lists(st.floats(-5, 5), min_size=10, max_size=25))
def test_the_best_split_has_the_largest_energy_distance(values: list[float]) -> None:
    def distance(place: int) -> float:
        left, right = values[:place], values[place:]
        across = [abs(a - b) for a in left for b in right]
        inside = [
            [abs(a - b) for a, b in itertools.combinations(part, 2)] for part in (left, right)
        ]
        energy = 2 * sum(across) / len(across) - sum(sum(part) / len(part) for part in inside)
        return len(left) * len(right) / len(values) * energy

    best = max(distance(place) for place in range(5, len(values) - 4))
    assert distance(best_split(values)) == pytest.approx(best, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("false_alarm_rate", 0.0),
        ("false_alarm_rate", 1.0),
        ("false_alarm_rate", math.nan),
        ("min_size", 1),
        ("window", 19),
        ("min_change", -0.1),
        ("min_change", math.nan),
    ],
)
def test_settings_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=field):
        change_points([1.0], **{field: value})  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_was_not_measured_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        change_points([1.0] * 30 + [value])


def test_what_is_seldom_has_a_chance_that_falls_on_and_on() -> None:
    series = [stepped((60, 1.0), (40, level), seed=2) for level in (1.2, 1.3, 1.4)]
    chances = [change_p_value(values) for values in series]
    assert 1e-3 > chances[0] > 1e-5 > chances[1] > chances[2] >= 1e-8


def test_a_few_noiseless_values_are_no_rarer_than_their_order() -> None:
    assert change_p_value([0.0] * 15 + [1.0] * 5) == pytest.approx(1 / math.comb(20, 5))
