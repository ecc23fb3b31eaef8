import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.profiling.sampling.pace import Pace


def test_the_wanted_rate_holds_while_looks_are_cheap() -> None:
    pace = Pace(100.0, max_cost_ratio=0.01)
    for _ in range(1_000):
        pace.spent(50e-6, passed_s=pace.period_s)
    assert pace.period_s == pytest.approx(0.01)


def test_a_short_run_is_seen_at_the_full_rate() -> None:
    pace = Pace(1000.0, max_cost_ratio=0.01)
    for _ in range(150):
        pace.spent(50e-6, passed_s=pace.period_s)
    assert pace.period_s == pytest.approx(0.001)


@given(st.floats(1e-6, 0.05), st.floats(1.0, 1000.0), st.floats(0.001, 0.2))
def test_the_cost_stays_under_its_cap_in_the_long_run(
    cost_s: float, rate_hz: float, ratio: float
) -> None:
    pace, spent_s, passed_s = Pace(rate_hz, max_cost_ratio=ratio), 0.0, 0.0
    for _ in range(2_000):
        passed_s += pace.period_s
        spent_s += cost_s
        pace.spent(cost_s, passed_s=pace.period_s)
    assert spent_s <= ratio * (passed_s + 1.0) + 15 * cost_s


def test_the_rate_recovers_when_looks_get_cheap_again() -> None:
    pace = Pace(100.0, max_cost_ratio=0.01)
    for _ in range(100):
        pace.spent(0.01, passed_s=pace.period_s)
    slowed_s = pace.period_s
    for _ in range(500):
        pace.spent(20e-6, passed_s=pace.period_s)
    assert slowed_s > 0.1
    assert pace.period_s == pytest.approx(0.01)
