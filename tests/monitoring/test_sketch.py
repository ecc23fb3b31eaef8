import json
import math
import os
import random
import struct
import threading
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ConfigError
from perfwright.core.errors import TelemetryError
from perfwright.monitoring._buckets import BUCKET_ERROR, Exponential, keys_of, middle
from perfwright.monitoring.sketch import Sketch

QS = (0.0, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0)
durations = st.floats(min_value=1e-30, max_value=1e30)
any_values = st.one_of(st.just(0.0), durations)


def sketch_of(values: list[float]) -> Sketch:
    sketch = Sketch()
    sketch.extend(values)
    return sketch


@given(durations)
def test_a_bucket_stands_for_its_values_within_the_bound(value: float) -> None:
    assert abs(middle(keys_of((value,))[0]) / value - 1.0) <= BUCKET_ERROR + 1e-7


@given(st.lists(any_values, min_size=1, max_size=300), st.floats(0.0, 1.0))
def test_quantiles_are_those_of_numpy_within_the_bound(values: list[float], q: float) -> None:
    true = float(np.quantile(np.array(values), q))
    assert sketch_of(values).quantile(q) == pytest.approx(true, rel=0.0040, abs=1e-37)


@pytest.mark.parametrize("shape", ["lognormal", "pareto", "bimodal", "one value", "steps"])
def test_quantiles_keep_the_bound_whatever_the_shape(shape: str) -> None:
    rng = random.Random(shape)
    draw: dict[str, Callable[[], float]] = {
        "lognormal": lambda: rng.lognormvariate(-4.0, 2.0),
        "pareto": lambda: 0.001 * rng.paretovariate(0.8),
        "bimodal": lambda: rng.gauss(0.8, 0.01) if rng.random() < 0.03 else rng.gauss(1e-3, 1e-5),
        "one value": lambda: 0.1,
        "steps": lambda: math.ldexp(1.0, rng.randrange(-30, 30)),
    }
    values = [draw[shape]() for _ in range(20_000)]
    assert sketch_of(values).quantiles(QS) == pytest.approx(np.quantile(values, QS), rel=0.0040)


@given(st.lists(st.lists(any_values, max_size=50), min_size=1, max_size=6))
def test_merging_is_the_same_as_having_seen_all(parts: list[list[float]]) -> None:
    merged = Sketch()
    for part in reversed(parts):
        merged.merge(sketch_of(part))
    whole = sketch_of([value for part in parts for value in part])
    assert merged == whole
    assert merged.quantiles(QS) == pytest.approx(whole.quantiles(QS), nan_ok=True, rel=0.0)


@given(st.lists(st.lists(st.floats(0.0, 3e38), max_size=20), min_size=1, max_size=5))
def test_no_order_of_merging_shows_in_the_total(parts: list[list[float]]) -> None:
    values = [value for part in parts for value in part]
    whole = sketch_of(values[::-1])
    assert whole.total == pytest.approx(math.fsum(values), rel=1e-9)
    for order in (parts, parts[::-1]):
        merged = Sketch()
        for part in order:
            merged.merge(sketch_of(part))
        assert merged.contents().units == whole.contents().units


def test_a_total_between_two_shown_ones_is_the_same_in_all_orders() -> None:
    totals = set()
    for values in permutations((0.1, 0.2, 0.30000000005)):
        merged = Sketch()
        for value in values:
            merged.merge(sketch_of([value]))
        totals.add(merged.total)
    assert len(totals) == 1


@pytest.mark.parametrize("least", [0.0, 1e-9])
def test_halves_of_many_durations_merge_to_the_same_sketch(least: float) -> None:
    rng = random.Random(2)
    for number in (*[300] * 60, *[5000] * 5):
        values = [least, *(round(rng.lognormvariate(-3.0, 1.0), 9) for _ in range(number))]
        merged = sketch_of(values[::2])
        merged.merge(sketch_of(values[1::2]))
        assert merged == sketch_of(values)


def test_a_total_beyond_all_numbers_is_infinite() -> None:
    sketch = Sketch()
    sketch.add(3e38, 10**300)
    assert (sketch.total, sketch.count) == (math.inf, 10**300)


def test_merging_with_itself_counts_all_twice() -> None:
    sketch = sketch_of([1.0, 2.0])
    sketch.merge(sketch)
    assert (sketch.count, sketch.total) == (4, 6.0)


@given(st.lists(any_values, max_size=60))
def test_adding_one_by_one_is_the_same_as_all_at_once(values: list[float]) -> None:
    one_by_one = Sketch()
    for value in values:
        one_by_one.add(value)
    assert one_by_one == sketch_of(values)


def test_a_count_adds_a_value_so_often() -> None:
    sketch = Sketch()
    sketch.add(0.5, 1000)
    sketch.add(9.0, 0)
    assert (sketch.count, sketch.total, sketch.max) == (1000, 500.0, 0.5)


@given(st.lists(any_values, min_size=1))
def test_extremes_are_exact(values: list[float]) -> None:
    sketch = sketch_of(values)
    assert (sketch.min, sketch.max) == (min(values), max(values))
    assert sketch.quantiles((0.0, 1.0)) == [min(values), max(values)]


def test_extremes_within_a_known_bucket_are_noticed() -> None:
    sketch = sketch_of([1.002, 5.002])
    sketch.extend([1.001, 5.003])
    assert (sketch.min, sketch.max) == (1.001, 5.003)


def test_an_empty_sketch_has_no_quantiles() -> None:
    sketch = Sketch()
    assert math.isnan(sketch.quantile(0.5))
    assert math.isnan(sketch.min)
    assert (sketch.count, sketch.total) == (0, 0.0)


def test_the_buckets_are_bounded_whatever_is_added() -> None:
    rng = random.Random(7)
    bits = (struct.pack("<I", rng.randrange(0x7F800000)) for _ in range(200_000))
    sketch = sketch_of([struct.unpack("<f", four)[0] for four in bits])
    assert len(sketch.contents().counts) <= 32_640


@pytest.mark.parametrize("bad", [-1.0, -1e-50, math.nan, math.inf, -math.inf, 1e39, 10**400])
def test_what_is_no_duration_is_refused(bad: float) -> None:
    sketch = sketch_of([1.0])
    with pytest.raises(ValueError, match="from 0 to"):
        sketch.add(bad)
    assert (sketch.count, sketch.max) == (1, 1.0)


@pytest.mark.parametrize("bad", [-1.0, -1e-50, math.nan, math.inf, -math.inf, 1e39, 10**400])
def test_what_is_no_duration_costs_the_others_nothing(bad: float) -> None:
    sketch = Sketch()
    with pytest.raises(ValueError, match="1 of 3"):
        sketch.extend([1.0, bad, 2.0])
    assert sketch == sketch_of([1.0, 2.0])


def test_text_is_no_number_and_leaves_all_as_it_was() -> None:
    sketch = sketch_of([1.0])
    with pytest.raises(TypeError):
        sketch.extend([2.0, "3"])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        sketch.add("3")  # type: ignore[arg-type]
    assert sketch == sketch_of([1.0])


@pytest.mark.parametrize("number", [1, True, Fraction(1), Decimal(1), np.float32(1)])
def test_other_numbers_count_by_their_value(number: float) -> None:
    sketch = sketch_of([number])
    assert sketch == sketch_of([1.0])


def test_minus_zero_is_zero() -> None:
    sketch = sketch_of([1.0])
    sketch.extend([-0.0, 1.0])
    assert sketch == sketch_of([1.0, 1.0, 0.0])
    assert sketch.quantile(0.0) == 0.0


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_quantile_is_a_ratio(q: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        sketch_of([1.0]).quantile(q)


@pytest.mark.parametrize("error", [0.0, -1.0, 0.001, 0.6, math.nan])
def test_a_bound_that_cannot_be_kept_is_refused(error: float) -> None:
    with pytest.raises(ConfigError, match="relative_error"):
        Sketch(error)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 times"):
        Sketch().add(1.0, -1)


# --- Threads and processes ------------------------------------------------------------------------


def test_threads_lose_nothing() -> None:
    sketch = Sketch()

    def add() -> None:
        for number in range(20_000):
            sketch.add(1.0)
            if number % 500 == 0:
                assert sketch.count > number

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sketch.count, sketch.total) == (80_000, 80_000.0)


def test_two_sketches_can_be_merged_into_each_other_at_the_same_time() -> None:
    one, other = sketch_of([1.0]), sketch_of([2.0])

    def merge(into: Sketch, source: Sketch) -> None:
        for _ in range(5):
            into.merge(source)

    threads = [threading.Thread(target=merge, args=pair) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10.0)
    assert not any(thread.is_alive() for thread in threads)
    assert one.count > 5


def test_a_child_process_goes_on_with_what_was_added() -> None:
    sketch = sketch_of([1.0])
    sketch.add(2.0)
    child = os.fork()
    if child == 0:
        sketch.add(3.0)
        os._exit(0 if sketch.count == 3 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sketch.count == 2


# --- Forms ----------------------------------------------------------------------------------------


@given(st.lists(any_values))
def test_a_saved_sketch_is_the_same_again(values: list[float]) -> None:
    sketch = sketch_of(values)
    assert Sketch.from_dict(json.loads(json.dumps(sketch.to_dict()))) == sketch


@pytest.mark.parametrize(
    "change",
    [
        {"buckets": [[16256, -1], [16257, 1]]},
        {"buckets": [[40000, 1]]},
        {"buckets": [[-1, 1]]},
        {"buckets": "x"},
        {"buckets": None},
        {"min": None},
        {"min": -1.0},
        {"max": math.nan},
        {"total": "much"},
        {"relative_error": 0.0},
    ],
)
def test_what_is_no_saved_sketch_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(TelemetryError, match="a saved sketch"):
        Sketch.from_dict({**sketch_of([1.0]).to_dict(), **change})


def test_prometheus_buckets_hold_what_is_at_most_their_bound() -> None:
    sketch = sketch_of([0.0, 0.001, 0.1, 0.1, 2.0, 100.0])
    assert sketch.buckets((1.0, 0.1, 0.0005)) == {0.0005: 1, 0.1: 4, 1.0: 4}
    assert list(sketch.buckets().values())[-1] == 5


@given(st.lists(durations, min_size=1), st.floats(0.0, 1.0))
def test_an_exported_histogram_keeps_the_bound(values: list[float], q: float) -> None:
    exported = sketch_of(values).to_exponential()
    seen = sorted(values)[math.floor(q * (len(values) - 1))]
    assert _exponential_quantile(exported, q) == pytest.approx(seen, rel=0.01)


def _exponential_quantile(histogram: Exponential, q: float) -> float:
    rank = math.floor(q * (sum(histogram.counts) - 1))
    base = math.pow(2.0, math.pow(2.0, -histogram.scale))
    for index, count in enumerate(histogram.counts, start=histogram.offset):
        rank -= count
        if rank < 0:
            return 2.0 * math.pow(base, index + 1) / (1.0 + base)
    raise AssertionError("the counts do not add up")


def test_an_exported_histogram_says_what_was_counted() -> None:
    exported = sketch_of([0.0, 1.0, 1.0, 4.0]).to_exponential()
    assert (exported.scale, exported.zero_count, sum(exported.counts)) == (6, 1, 3)
    assert (exported.total, exported.min, exported.max) == (6.0, 0.0, 4.0)


def test_an_empty_sketch_exports_no_buckets() -> None:
    exported = Sketch().to_exponential()
    assert (exported.counts, exported.zero_count, exported.total) == ((), 0, 0.0)


@given(st.lists(durations, min_size=1))
def test_a_histogram_read_back_keeps_count_total_and_extremes(values: list[float]) -> None:
    sketch = sketch_of(values)
    back = Sketch.from_exponential(sketch.to_exponential())
    assert (back.count, back.total) == (sketch.count, sketch.total)
    assert (back.min, back.max) == (sketch.min, sketch.max)
    assert back.quantile(0.5) == pytest.approx(sketch.quantile(0.5), rel=0.014)


@pytest.mark.parametrize("scale", [-10, 0, 3, 20])
def test_a_histogram_of_any_scale_can_be_read(scale: int) -> None:
    histogram = Exponential(scale=scale, zero_count=2, offset=-1, counts=(1, 0, 3))
    sketch = Sketch.from_exponential(histogram)
    assert sketch.count == 6
    assert 0.0 <= sketch.total < math.inf


def test_a_histogram_with_a_negative_count_is_refused() -> None:
    with pytest.raises(TelemetryError, match="negative"):
        Sketch.from_exponential(Exponential(scale=0, counts=(1, -1)))


def test_no_value_of_a_very_wide_spread_is_lost() -> None:
    rng = random.Random(5)
    values = [rng.lognormvariate(0.0, 8.0) for _ in range(30_000)]
    parts = [Sketch(), Sketch()]
    whole = Sketch()
    for index, value in enumerate(values):
        whole.add(value)
        parts[index % 2].add(value)
    parts[0].merge(parts[1])
    ordered = sorted(values)
    assert parts[0] == whole
    assert whole.count == len(values) == sum(count for _, count in whole.to_dict()["buckets"])
    assert len(whole.to_dict()["buckets"]) > 3000
    for q in (0.001, 0.5, 0.9, 0.999):
        assert whole.quantile(q) == pytest.approx(ordered[round(q * (len(ordered) - 1))], rel=0.01)


def test_a_bucket_may_count_more_than_64_bits_hold() -> None:
    wide = [2.0 ** (number / 100) for number in range(3000)]
    sketch = Sketch()
    for _ in range(3):
        sketch.add(1.0, count=(1 << 64) - 1)
        sketch.extend(wide)
    assert sketch.count == 3 * ((1 << 64) - 1 + len(wide))
