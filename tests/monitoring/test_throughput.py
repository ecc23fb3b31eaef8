from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.monitoring.throughput import SECONDS_KEPT, Throughput


def throughput_of(ends_s: list[float]) -> Throughput:
    throughput = Throughput()
    throughput.add(sorted(ends_s))
    return throughput


def test_the_rates_of_a_steady_load_agree() -> None:
    rates = throughput_of([100.0 + number / 20 for number in range(20 * 60)]).rates(160.0)
    assert rates == pytest.approx({"current": 20.0, "avg": 20.0, "max": 20.0}, rel=0.11)


def test_a_burst_shows_in_the_peak_alone_once_it_is_over() -> None:
    rates = throughput_of([0.0] * 500).rates(100.0)
    assert rates == {"current": 0.0, "avg": 5.0, "max": 500.0}


def test_nothing_is_divided_by_less_than_a_second() -> None:
    assert throughput_of([7.0, 7.001]).rates(7.001) == {"current": 2.0, "avg": 2.0, "max": 2.0}


@given(st.lists(st.floats(-50.0, 200.0)))
def test_each_operation_is_in_one_second(ends_s: list[float]) -> None:
    throughput = throughput_of(ends_s)
    assert throughput.count == len(ends_s)
    assert sum(count for _, count in throughput._seconds()) == len(ends_s)


@given(st.lists(st.floats(0.0, 250.0)), st.lists(st.floats(0.0, 250.0)))
def test_merging_is_the_same_as_having_seen_all(one: list[float], other: list[float]) -> None:
    merged = throughput_of(one)
    merged.merge(throughput_of(other))
    assert merged.rates(251.0) == throughput_of(one + other).rates(251.0)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_seconds_long_ago_take_no_memory(ends_s: list[float]) -> None:
    throughput = throughput_of(ends_s)
    kept = [second for second, _ in throughput._seconds()]
    assert len(throughput._counts) == SECONDS_KEPT
    assert all(earlier < later for earlier, later in pairwise(kept))
    assert throughput.peak >= 1


def test_what_comes_too_late_to_be_placed_is_still_counted() -> None:
    throughput = throughput_of([1000.0])
    throughput.add([1.0])
    assert throughput.count == 2
    assert throughput.rates(1000.0)["avg"] == pytest.approx(2 / 999)


def test_merging_with_itself_counts_all_twice() -> None:
    throughput = throughput_of([1.0, 2.0])
    throughput.merge(throughput)
    assert throughput.rates(2.0)["max"] == 2.0
    assert throughput.count == 4
