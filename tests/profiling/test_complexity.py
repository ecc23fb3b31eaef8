"""Counts decide nearly everything here, so that a busy machine changes nothing."""

import asyncio
import bisect
import heapq
import math
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType
from typing import Any, Literal, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfwright.core import ConfigError
from perfwright.core.errors import ProfilerError
from perfwright.profiling._comparisons import Comparisons, count_comparisons
from perfwright.profiling._growth import Growth, fit, slope
from perfwright.profiling._judgement import Measured, judged
from perfwright.profiling._operations import TooMany, c_calls, count_operations
from perfwright.profiling.complexity import (
    complexity_of_observations,
    estimate_complexity,
    shuffled,
)

SIZES = (20, 40, 80, 160)


def constant(items: list[int]) -> int:
    return items[0]


def halving(number: int) -> int:
    steps = 0
    while number:
        number //= 2
        steps += 1
    return steps


def line(items: list[int]) -> int:
    total = 0
    for item in items:
        total += item
    return total


def line_by_generator(items: list[int]) -> Iterator[int]:
    for item in items:
        yield item + 1


def merge_sort(items: list[int]) -> list[int]:
    if len(items) < 2:
        return items
    left, right = merge_sort(items[::2]), merge_sort(items[1::2])
    merged = []
    while left and right:
        merged.append(left.pop() if left[-1] > right[-1] else right.pop())
    return (merged + left[::-1] + right[::-1])[::-1]


def square(items: list[int]) -> int:
    return sum(1 for one in items for other in items if one < other)


def triangle(items: list[int]) -> int:
    found = 0
    for index, one in enumerate(items):
        for other in items[:index]:
            found += one < other
    return found


def cube(items: list[int]) -> int:
    return sum(1 for _ in items for _ in items for _ in items)


def doubling(number: int) -> int:
    return 1 if not number else doubling(number - 1) + doubling(number - 1)


@pytest.mark.parametrize(
    ("function", "growth"),
    [
        (constant, Growth.CONSTANT),
        (line, Growth.LINEAR),
        (line_by_generator, Growth.LINEAR),
        (merge_sort, Growth.LINEARITHMIC),
        (square, Growth.QUADRATIC),
        (triangle, Growth.QUADRATIC),
    ],
)
def test_growth_is_named_by_counts(function: Callable[[Any], object], growth: Growth) -> None:
    found = estimate_complexity(function, SIZES)
    assert found.growth is growth
    assert found.growth.superlinear == (growth not in (Growth.CONSTANT, Growth.LINEAR))
    assert found.confidence > 0.5


def test_a_cube_is_named() -> None:
    found = estimate_complexity(cube, (5, 10, 20, 40))
    assert found.growth is Growth.CUBIC
    assert 2.7 < found.exponent < 3.1


@pytest.mark.parametrize(
    ("function", "sizes", "growth"),
    [(halving, (10, 100, 1000, 10_000), "O(log n)"), (doubling, (4, 6, 8, 10), "O(2^n)")],
)
def test_functions_of_a_number_are_named(
    function: Callable[[int], int], sizes: tuple[int, ...], growth: str
) -> None:
    assert estimate_complexity(function, sizes, make_input=int).growth == growth


def test_a_search_in_c_code_shows_by_its_comparisons() -> None:
    def unique(items: list[int]) -> list[int]:
        seen: list[int] = []
        for item in items:
            if item not in seen:
                seen.append(item)
        return seen

    found = estimate_complexity(unique, (100, 300, 900, 2700))
    assert found.growth is Growth.QUADRATIC
    assert "C code" in found.reason


def test_a_search_in_c_code_shows_by_its_time() -> None:
    def unique(rows: list[tuple[int]]) -> list[tuple[int]]:
        seen: list[tuple[int]] = []
        for row in rows:
            if row not in seen:
                seen.append(row)
        return seen

    found = estimate_complexity(
        unique, (100, 300, 900, 2700), make_input=lambda n: [(each,) for each in shuffled(n)]
    )
    assert found.growth is Growth.QUADRATIC
    assert "C code" in found.reason


def test_a_sum_in_c_code_grows_by_a_line() -> None:
    assert estimate_complexity(sum, (1000, 4000, 16_000, 64_000)).growth is Growth.LINEAR


def test_the_interval_holds_the_exponent() -> None:
    found = estimate_complexity(square, SIZES)
    assert found.interval[0] <= found.exponent <= found.interval[1]
    assert 1.8 < found.exponent < 2.1
    assert str(found).startswith("O(n^2) (exponent ")


def test_each_call_gets_an_input_of_its_own() -> None:
    def empty(items: list[int]) -> None:
        while items:
            items.pop()

    assert estimate_complexity(empty, SIZES).growth is Growth.LINEAR


def test_what_takes_too_long_is_unknown_rather_than_guessed() -> None:
    found = estimate_complexity(doubling, (4, 8, 30, 40), make_input=int, max_seconds=0.3)
    assert found.growth is Growth.UNKNOWN
    assert "try smaller ones" in found.reason


def test_counts_without_a_law_are_unknown() -> None:
    steps = {20: 500, 40: 20, 80: 900, 160: 10}

    def erratic(items: list[int]) -> None:
        for _ in range(steps[len(items)]):
            pass

    assert estimate_complexity(erratic, SIZES).growth is Growth.UNKNOWN


@pytest.mark.parametrize("sizes", [(), (1, 2, 3), (5, 5, 5, 5), (0, 1, 2, 3), (1.5, 2, 3, 4)])
def test_four_different_sizes_are_needed(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="4 different"):
        estimate_complexity(line, sizes)


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="measure"):
        estimate_complexity(line, SIZES, measure=cast("Literal['time']", "guess"))
    with pytest.raises(ConfigError, match="max_seconds"):
        estimate_complexity(line, SIZES, max_seconds=math.nan)
    with pytest.raises(TypeError, match="callable"):
        estimate_complexity(cast("Callable[[Any], object]", 5), SIZES)


def test_a_coroutine_function_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"asyncio\.run"):
        estimate_complexity(asyncio.sleep, SIZES)


def test_an_error_of_the_function_comes_out_and_leaves_no_trace() -> None:
    def fail(_: object) -> None:
        raise KeyError("x")

    before = sys.gettrace()
    with pytest.raises(KeyError):
        estimate_complexity(fail, SIZES)
    assert sys.gettrace() is before
    assert sys.getprofile() is None


def test_another_tracer_is_put_back() -> None:
    def tracer(_frame: FrameType, _event: str, _arg: Any) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        count_operations(lambda: line([1]), limit=100)
        kept = sys.gettrace()
    finally:
        sys.settrace(before)
    assert kept is tracer


def test_counting_ends_at_the_limit_though_the_function_catches_exceptions() -> None:
    def stubborn() -> None:
        while True:
            with suppress(Exception):
                line([1] * 100)

    with pytest.raises(TooMany):
        count_operations(stubborn, limit=1000)


def test_counts_are_the_same_each_time_whatever_other_threads_do() -> None:
    stop = threading.Event()
    other = threading.Thread(target=lambda: [line([1, 2]) for _ in iter(stop.is_set, True)])
    other.start()
    try:
        counts = {count_operations(lambda: square([1] * 30), limit=10**6) for _ in range(5)}
    finally:
        stop.set()
        other.join()
    assert len(counts) == 1


def test_another_profiler_is_an_error_with_a_remedy() -> None:
    def profiler(_frame: FrameType, _event: str, _arg: Any) -> None:
        return None

    sys.setprofile(profiler)
    try:
        with pytest.raises(ProfilerError, match="stop it first"):
            c_calls(lambda: sorted([2, 1]))
    finally:
        sys.setprofile(None)


# --- Observations ---------------------------------------------------------------------------------


def observed(power: float, *, seed: int, noise: float = 0.3) -> list[tuple[float, float]]:
    rng = random.Random(seed)
    sizes = [round(10.0 ** rng.uniform(1.0, 3.5)) for _ in range(400)]
    return [(size, (1e-4 + 1e-7 * size**power) * rng.lognormvariate(0.0, noise)) for size in sizes]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("power", "growth"), [(0.0, "O(1)"), (1.0, "O(n)"), (2.0, "O(n^2)"), (3.0, "O(n^3)")]
)
def test_growth_is_seen_through_the_noise_of_production(
    power: float, growth: str, seed: int
) -> None:
    assert complexity_of_observations(observed(power, seed=seed)).growth == growth


@pytest.mark.parametrize("seed", range(40))
def test_a_line_is_never_called_more(seed: int) -> None:
    found = complexity_of_observations(observed(1.0, seed=seed, noise=0.8))
    assert not found.growth.superlinear


def test_stalls_do_not_count() -> None:
    pairs = observed(1.0, seed=1)
    stalled = [
        (size, cost + (5.0 if at % 10 == 0 else 0.0)) for at, (size, cost) in enumerate(pairs)
    ]
    assert complexity_of_observations(stalled).growth is Growth.LINEAR


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [(100.0, 0.1)] * 1000,
        [(float(size), 0.1) for size in (100, 150, 220, 330) for _ in range(20)],
        [(math.nan, 1.0), (10.0, math.inf), (-5.0, 1.0), (0.0, 1.0), (10.0, -1.0)] * 50,
    ],
    ids=["none", "one size", "too near", "no numbers"],
)
def test_too_little_to_see_is_unknown(pairs: list[tuple[float, float]]) -> None:
    found = complexity_of_observations(pairs)
    assert found.growth is Growth.UNKNOWN
    assert "sizes differ too little" in found.reason


# --- Fits -----------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(1, 10**6), min_size=4, max_size=9, unique=True),
    st.floats(0.0, 1e3),
    st.floats(1e-6, 1e3),
    st.sampled_from([Growth.LINEAR, Growth.LINEARITHMIC, Growth.QUADRATIC, Growth.CUBIC]),
)
def test_what_follows_a_law_fits_it(
    sizes: list[int], base: float, factor: float, growth: Growth
) -> None:
    terms: dict[Growth, Callable[[float], float]] = {
        Growth.LINEAR: lambda n: n,
        Growth.LINEARITHMIC: lambda n: n * math.log2(n),
        Growth.QUADRATIC: lambda n: n**2,
        Growth.CUBIC: lambda n: n**3,
    }
    points = [(float(n), base + factor * terms[growth](n) + 1e-9) for n in sorted(sizes)]
    assert fit(points, growth).error < 0.01


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(1e-9, 1e9)), min_size=4, max_size=8))
def test_fits_of_anything_are_numbers(points: list[tuple[float, float]]) -> None:
    ordered = sorted({round(size): cost for size, cost in points}.items())
    for growth in Growth:
        if growth not in (Growth.UNKNOWN, Growth.EXPONENTIAL):
            assert 0.0 <= fit(ordered, growth).error <= 1.0


def test_two_points_bound_no_slope() -> None:
    found = slope([(1.0, 1.0), (10.0, 100.0)])
    assert found.exponent == pytest.approx(2.0)
    assert (found.low, found.high) == (-math.inf, math.inf)


# --- What C code does with the elements -----------------------------------------------------------


def sort_and_pass(items: list[int]) -> int:
    total = 0
    for item in sorted(items):
        total += item
    return total


def heap_sort(items: list[int]) -> list[int]:
    heapq.heapify(items)
    return [heapq.heappop(items) for _ in range(len(items))]


def sort_backwards(items: list[int]) -> list[int]:
    return sorted(items, key=lambda item: -item)


def insert_in_order(items: list[int]) -> list[int]:
    kept: list[int] = []
    for item in items:
        bisect.insort(kept, item)
    return kept


@pytest.mark.parametrize(
    "sort", [sorted, sort_and_pass, heap_sort, sort_backwards, insert_in_order]
)
def test_comparisons_in_c_code_are_counted(sort: Callable[[list[int]], object]) -> None:
    found = estimate_complexity(sort, (100, 300, 1000, 3000))
    assert found.growth is Growth.LINEARITHMIC
    assert found.basis == "operations"


def test_a_sort_of_what_is_sorted_is_a_line() -> None:
    found = estimate_complexity(sorted, (100, 300, 1000, 3000), make_input=lambda n: list(range(n)))
    assert found.growth is Growth.LINEAR


def test_texts_are_compared_too() -> None:
    found = estimate_complexity(
        sorted, (100, 300, 1000, 3000), make_input=lambda n: [str(each) for each in shuffled(n)]
    )
    assert found.growth is Growth.LINEARITHMIC


def test_a_sort_of_what_cannot_be_counted_leaves_doubt() -> None:
    def rank(rows: list[tuple[int]]) -> list[int]:
        return [row[0] for row in sorted(rows)]

    found = estimate_complexity(
        rank, (100, 300, 1000, 3000), make_input=lambda n: [(each,) for each in shuffled(n)]
    )
    assert found.growth is Growth.LINEARITHMIC or found.confidence <= 0.5


def test_a_function_may_refuse_such_elements() -> None:
    def strict(items: list[Any]) -> int:
        return sum(type(item) is int or item.missing for item in items)

    assert estimate_complexity(strict, SIZES).growth is Growth.LINEAR


@given(st.lists(st.integers() | st.floats(allow_nan=False) | st.text()))
def test_elements_that_count_are_what_they_were(items: list[Any]) -> None:
    watched = Comparisons(limit=10**6).watched(items)
    assert watched == (items or None)


@pytest.mark.parametrize("given_", [5, "text", {"a": 1}, [True], [(1,)], [], None])
def test_other_inputs_are_left_alone(given_: object) -> None:
    assert count_comparisons(lambda _: None, given_, limit=10) is None


def test_too_many_comparisons_are_given_up() -> None:
    assert count_comparisons(sorted, [3, 1, 2], limit=1) is None


# --- Constants that dominate, and waiting ---------------------------------------------------------


@pytest.mark.parametrize(
    "sizes", [(10, 30, 100, 300), (100, 200, 400, 800), (100, 10**3, 10**4, 10**5)]
)
def test_a_line_upon_a_large_constant_is_a_line(sizes: tuple[int, ...]) -> None:
    def prepared(items: list[int]) -> int:
        return sum(1 for _ in range(20_000)) + line(items)

    found = estimate_complexity(prepared, sizes)
    assert found.growth is Growth.LINEAR
    assert found.interval == pytest.approx((1.0, 1.0), abs=0.05)


def test_a_square_upon_a_large_constant_is_a_square() -> None:
    def prepared(items: list[int]) -> int:
        return sum(1 for _ in range(20_000)) + square(items)

    assert estimate_complexity(prepared, (8, 16, 32, 64)).growth is Growth.QUADRATIC


def test_a_little_noise_upon_a_constant_is_no_growth() -> None:
    rng = random.Random(1)

    def noisy(_: list[int]) -> int:
        return sum(1 for _ in range(1000 + rng.randrange(4)))

    assert estimate_complexity(noisy, (10, 30, 100, 300)).growth is Growth.CONSTANT


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how often a thread slept")
@pytest.mark.parametrize(("power", "growth"), [(0, Growth.CONSTANT), (1, Growth.LINEAR)])
def test_waiting_is_judged_by_the_time_that_passes(power: int, growth: Growth) -> None:
    pause = threading.Event()

    def wait(items: list[int]) -> None:
        pause.wait(0.001 * (len(items) / 5) ** power)

    found = estimate_complexity(wait, (5, 15, 50, 150))
    assert found.growth is growth
    assert "waits" in found.reason


@pytest.mark.parametrize(
    "sizes", [5, "abcd", (1, 2, 3, math.nan), (1, 2, 3, "4"), (1, 2, 3, True), None]
)
def test_sizes_that_are_none_are_refused(sizes: Any) -> None:
    with pytest.raises(ConfigError, match="sizes"):
        estimate_complexity(line, sizes)


@pytest.mark.parametrize("seconds", [math.nan, math.inf, 0, -1, "1", None])
def test_a_time_that_is_none_is_refused(seconds: Any) -> None:
    with pytest.raises(ConfigError, match="max_seconds"):
        estimate_complexity(line, SIZES, max_seconds=seconds)


def test_operations_that_grow_dearer_by_little_leave_doubt() -> None:
    sizes, each_s = (10**3, 10**4, 10**5, 10**6), (1e-8, 2e-8, 4e-8, 6e-8)
    rows = zip(sizes, each_s, strict=True)
    measured = tuple(Measured(size=n, operations=n, seconds=n * cost) for n, cost in rows)
    found = judged(measured, sorts=lambda: False)
    assert found.growth is Growth.LINEAR
    assert found.confidence <= 0.5
    assert "6 times as long" in found.reason
