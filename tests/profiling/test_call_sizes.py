import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from perfwright.core import ConfigError, ManualClock
from perfwright.profiling._growth import Growth
from perfwright.profiling.call_sizes import CallSizes, observe_sizes


def test_calls_are_kept_with_the_size_that_they_began_with() -> None:
    kept, clock = CallSizes(), ManualClock()

    @observe_sizes(into=kept, clock=clock)
    def drain(items: list[int]) -> int:
        clock.now_s += 2.0
        items.clear()
        return 7

    assert drain([1, 2, 3]) == 7
    (name,) = kept.functions()
    assert name.endswith("drain")
    assert kept.observations(name) == [(3.0, 2.0)]


def test_coroutine_functions_are_timed_to_their_end() -> None:
    kept, clock = CallSizes(), ManualClock()

    @observe_sizes(into=kept, clock=clock)
    async def fetch(*, keys: list[str]) -> int:
        await clock.sleep(0.5)
        return len(keys)

    assert asyncio.run(fetch(keys=["a", "b"])) == 2
    assert kept.observations(kept.functions()[0]) == [(2.0, 0.5)]


def test_growth_is_named_from_what_was_kept() -> None:
    kept, clock = CallSizes(), ManualClock()

    @observe_sizes(into=kept, clock=clock, size=lambda count: count)
    def square(count: int) -> None:
        clock.now_s += 1e-6 * count**2

    for _ in range(10):
        for count in (10, 20, 50, 100, 200, 400):
            square(count)
    assert kept.complexity(kept.functions()[0]).growth is Growth.QUADRATIC


def test_common_sizes_do_not_drive_out_rare_ones() -> None:
    kept = CallSizes(per_magnitude=3)
    kept.record("f", size=1000, seconds=9.0)
    for number in range(100):
        kept.record("f", size=10, seconds=float(number))
    assert kept.observations("f") == [(10.0, 97.0), (10.0, 98.0), (10.0, 99.0), (1000.0, 9.0)]


def test_a_size_that_fails_does_not_end_the_call() -> None:
    kept = CallSizes()

    @observe_sizes(into=kept, size=lambda items: items.missing)
    def total(items: list[int]) -> int:
        return sum(items)

    assert total([1, 2]) == 3
    assert (kept.functions(), kept.dropped) == ([], 1)


def test_a_call_without_anything_that_has_a_length_is_dropped() -> None:
    kept = CallSizes()
    assert observe_sizes(into=kept)(abs)(-5) == 5
    assert kept.dropped == 1


def test_a_call_that_raises_is_not_kept() -> None:
    kept = CallSizes()

    @observe_sizes(into=kept)
    def fail(_: list[int]) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        fail([1])
    assert kept.functions() == []


@pytest.mark.parametrize(
    ("size", "seconds"), [(0, 1.0), (math.nan, 1.0), (math.inf, 1.0), (5, math.nan), (5, -1.0)]
)
def test_what_is_no_size_or_time_is_dropped(size: float, seconds: float) -> None:
    kept = CallSizes()
    kept.record("f", size=size, seconds=seconds)
    assert (kept.observations("f"), kept.dropped) == ([], 1)


def test_functions_beyond_the_limit_are_dropped() -> None:
    kept = CallSizes(max_functions=1)
    for name in ("a", "b", "a"):
        kept.record(name, size=5, seconds=1.0)
    assert (kept.functions(), kept.dropped, len(kept.observations("a"))) == (["a"], 1, 2)


def test_limits_are_at_least_one() -> None:
    with pytest.raises(ConfigError, match="per_magnitude"):
        CallSizes(per_magnitude=0)
    with pytest.raises(ConfigError, match="max_functions"):
        CallSizes(max_functions=0)


def test_generator_functions_are_refused() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def later() -> AsyncIterator[int]:
        yield 1

    for function in (numbers, later):
        with pytest.raises(TypeError, match="generator"):
            observe_sizes(function)


def test_the_decorated_function_keeps_its_name() -> None:
    @observe_sizes
    def named(items: list[int]) -> int:
        """Say so."""
        return len(items)

    assert (named.__name__, named.__doc__, named([1])) == ("named", "Say so.", 1)


@pytest.mark.parametrize("given", [dict, 5])
def test_what_is_no_function_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match="is no function"):
        observe_sizes(given)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", None])
def test_limits_are_whole_numbers(value: Any) -> None:
    with pytest.raises(ConfigError, match="per_magnitude"):
        CallSizes(per_magnitude=value)
    with pytest.raises(ConfigError, match="max_functions"):
        CallSizes(max_functions=value)


@pytest.mark.parametrize("what", [type("Some", (), {}), 5])
def test_only_functions_are_observed(what: Any) -> None:
    with pytest.raises(TypeError, match="no function"):
        observe_sizes(what)
