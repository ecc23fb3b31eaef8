"""How the cost of a function grows with the size of its input, found by running it."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from inspect import iscoroutinefunction
from statistics import median
from typing import Any

from perfwright.core import ConfigError
from perfwright.profiling._comparisons import count_comparisons
from perfwright.profiling._growth import Growth
from perfwright.profiling._judgement import (
    Basis,
    Complexity,
    Measured,
    judged,
    judged_by_time,
    judged_by_waiting,
    unknown,
)
from perfwright.profiling._operations import (
    TooMany,
    c_calls,
    count_operations,
    cpu_seconds,
    no_collections,
    waiting,
)

__all__ = [
    "Complexity",
    "Growth",
    "Measured",
    "complexity_of_observations",
    "estimate_complexity",
    "shuffled",
]

_FEWEST = 4
_ROUNDS = 7
_BATCH_S = 0.002
"""Shorter calls are timed several at a time: reading the clock takes a quarter microsecond."""
_MOST_IN_BATCH = 64
_COMPARISON_S = 2e-7
"""What counting a comparison takes, roughly."""
_ORDERING = frozenset(("sort", "sorted", "heappop", "heappush", "heapreplace", "heappushpop"))
_LINE_S = 1e-7
"""What counting a line takes, roughly: foretells whether a size can still be afforded."""


def shuffled(size: int) -> list[int]:
    """Return the numbers below `size` in an order that is always the same, but looks like none."""
    return list(_shuffled(size))


@lru_cache(maxsize=8)  # shuffling takes 100 times as long as copying
def _shuffled(size: int) -> tuple[int, ...]:
    return tuple(random.Random(size).sample(range(size), size))


def estimate_complexity(
    func: Callable[[Any], object],
    sizes: Sequence[int],
    *,
    make_input: Callable[[int], Any] = shuffled,
    measure: Basis = "operations",
    max_seconds: float = 10.0,
) -> Complexity:
    """Run `func` with inputs of several sizes and name the class of its growth.

    Lines and calls of Python are counted, which noise cannot touch, and how often C code compares
    or hashes the elements of a list of numbers or texts, as a sort does; the CPU time tells whether
    other C code grows on top of them. A function that waits is judged by the time that passes.
    `measure="time"` does without counting, for functions written in C. Laws between a line and a
    square are told apart by counts only.

    Args:
        func: Called with one argument; a generator that it returns is run to its end.
        sizes: At least 4, from 1 up; best over more than one order of magnitude.
        make_input: Makes the argument of a size; called anew for each call, as `func` may change
            it. By default shuffled whole numbers; pass `int` for a function of the number itself.
        measure: What the answer rests on.
        max_seconds: No larger size is begun once this much time is expected to be over.

    Raises:
        ConfigError: If a value cannot be used.
        TypeError: If `func` cannot be called or is a coroutine function.
        Exception: Whatever `func` or `make_input` raises.
    """
    _check(func, sizes, measure=measure, max_seconds=max_seconds)
    ordered = sorted(set(sizes))
    stop_s = time.perf_counter() + max_seconds
    with no_collections():
        counts = _count(func, ordered, make_input=make_input, stop_s=stop_s, measure=measure)
        known = ordered[: len(counts)]
        compared = _compare(func, known, make_input=make_input, stop_s=stop_s, measure=measure)
        counts = [
            ops if ops is None else ops + more for ops, more in zip(counts, compared, strict=True)
        ]
        times = _time(func, known, make_input=make_input, stop_s=stop_s)
        if len(times) < _FEWEST:
            reason = f"only {len(times)} of the sizes in {max_seconds:g} s: try smaller ones"
            return unknown(reason, _measured(known, counts, seconds=times))

        def judge() -> Complexity:
            measured = _measured(known, counts, seconds=times)
            if measure == "time":
                return judged_by_time(measured)
            last = known[len(times) - 1]
            return judged(
                measured,
                sorts=lambda: _sorts(partial(func, make_input(last))),
                orders=lambda: not any(compared) and _orders(partial(func, make_input(known[0]))),
                compared=compared[len(times) - 1],
            )

        waited = _waits(func, known[: len(times)], make_input=make_input, stop_s=stop_s)
        if waited:
            return judged_by_waiting(_measured(known, counts, seconds=times), waited)
        found = judge()
        if found.growth.superlinear and found.basis == "time":
            # The load of a neighbour can look like this once.
            again = _time(func, known[: len(times)], make_input=make_input, stop_s=stop_s)
            times[: len(again)] = map(min, times, again)
            found = judge()
    return found


def _measured(
    sizes: Sequence[int], counts: Sequence[int | None], *, seconds: Sequence[float]
) -> tuple[Measured, ...]:
    rows = zip(sizes, counts, seconds, strict=False)  # larger sizes may have been left out
    return tuple(Measured(size=n, operations=count, seconds=cost) for n, count, cost in rows)


def complexity_of_observations(
    observations: Iterable[tuple[float, float]], *, fewest_each: int = 5
) -> Complexity:
    """Name the growth of costs that were seen in production, where sizes come as they come.

    Sizes are brought together by factors of 1.4, and the median of each group is taken: a few slow
    calls do not count. Between a line and a square nothing is told apart.

    Args:
        observations: Size, from 1 up, and cost, such as seconds; in any order. Others are left out.
        fewest_each: Groups with fewer observations are left out.
    """
    groups: dict[int, list[tuple[float, float]]] = {}
    for size, cost in observations:
        if 1.0 <= size < math.inf and 0.0 < cost < math.inf:
            groups.setdefault(round(2.0 * math.log2(size)), []).append((size, cost))
    kept = [groups[key] for key in sorted(groups) if len(groups[key]) >= fewest_each]
    measured = tuple(
        Measured(
            size=median(size for size, _ in group),
            operations=None,
            seconds=median(cost for _, cost in group),
        )
        for group in kept
    )
    if len(measured) < _FEWEST or measured[-1].size < 8.0 * measured[0].size:
        return unknown("sizes differ too little: 4 groups over a factor of 8 are needed", measured)
    noise = math.sqrt(sum(_error_of_median(group) ** 2 for group in kept) / len(kept))
    return judged_by_time(measured, noise=noise)


def _error_of_median(group: Sequence[tuple[float, float]]) -> float:
    """Return the standard error of a group's median cost, as a ratio of it."""
    middle = median(cost for _, cost in group)
    deviation = 1.4826 * median(abs(cost - middle) for _, cost in group)
    return 1.2533 * deviation / math.sqrt(len(group)) / middle


def _check(func: object, sizes: Sequence[int], *, measure: str, max_seconds: float) -> None:
    if not callable(func):
        raise TypeError(f"func must be callable, not {type(func).__name__}")
    if iscoroutinefunction(func):
        raise TypeError("func is a coroutine function: pass `lambda x: asyncio.run(func(x))`")
    if not _are_sizes(sizes):
        problem = "give 4 different whole numbers at least, from 1 up"
        raise ConfigError(field="sizes", value=sizes, problem=problem)
    if measure not in ("operations", "time"):
        raise ConfigError(field="measure", value=measure, problem="is operations or time")
    if isinstance(max_seconds, bool) or not isinstance(max_seconds, int | float):
        raise ConfigError(field="max_seconds", value=max_seconds, problem="must be a number")
    if not 0.0 < max_seconds < math.inf:
        raise ConfigError(field="max_seconds", value=max_seconds, problem="must be above 0")


def _are_sizes(sizes: object) -> bool:
    if not isinstance(sizes, Iterable) or isinstance(sizes, str | bytes):
        return False
    kept = list(sizes)
    whole = all(isinstance(each, int) and not isinstance(each, bool) and each >= 1 for each in kept)
    return whole and len(set(kept)) >= _FEWEST


def _count(
    func: Callable[[Any], object],
    sizes: Sequence[int],
    *,
    make_input: Callable[[int], Any],
    stop_s: float,
    measure: str,
) -> list[int | None]:
    counts: list[int | None] = [None for _ in sizes]
    if measure == "time":
        return counts
    counts.clear()
    for size in sizes:
        left = (stop_s - time.perf_counter()) / 2.0  # the other half is for taking times
        call = partial(func, make_input(size))
        try:
            counts.append(count_operations(call, limit=int(max(left, 0.0) / _LINE_S)))
        except TooMany:
            break
    return counts


def _compare(
    func: Callable[[Any], object],
    sizes: Sequence[int],
    *,
    make_input: Callable[[int], Any],
    stop_s: float,
    measure: str,
) -> list[int]:
    """Count comparisons of elements for each size; all 0 if they cannot be counted for each."""
    found: list[int] = []
    for size in sizes if measure == "operations" else ():
        left_s = (stop_s - time.perf_counter()) / 3.0
        limit = int(max(left_s, 0.0) / _COMPARISON_S)
        count = count_comparisons(func, make_input(size), limit=limit)
        if count is None:
            break
        found.append(count)
    return found if len(found) == len(sizes) else [0 for _ in sizes]


def _waits(
    func: Callable[[Any], object],
    sizes: Sequence[int],
    *,
    make_input: Callable[[int], Any],
    stop_s: float,
) -> list[float]:
    """Return the seconds that pass in a call of each size if it waits for most of them, else none.

    A thread that waits gives its processor up of itself; one that others drive off it does not.
    """
    passed: list[float] = []
    for size in reversed(sizes):
        if passed and time.perf_counter() + passed[-1] > stop_s:
            return []
        once = [waiting(partial(func, make_input(size))) for _ in range(2 if passed else 1)]
        if (not passed and once[0].cpu_s > 0.5 * once[0].wall_s) or not once[0].gave_up:
            return []
        passed.append(min(each.wall_s for each in once))
    return passed[::-1]


def _time(
    func: Callable[[Any], object],
    sizes: Sequence[int],
    *,
    make_input: Callable[[int], Any],
    stop_s: float,
) -> list[float]:
    """Take the least of several rounds for each size; sizes take turns, as loads come and go."""
    clock = time.perf_counter
    least: list[float] = []
    whole: list[float] = []  # seconds for one call with making its input
    for size in sizes:
        if whole and clock() + 4.0 * whole[-1] > stop_s:
            break
        started = clock()
        least.append(cpu_seconds([partial(func, make_input(size))]))
        whole.append(clock() - started)
    for _ in range(_ROUNDS):
        for at, size in enumerate(sizes[: len(least)]):
            count = min(max(int(_BATCH_S / whole[at]), 1), _MOST_IN_BATCH)
            if clock() + count * whole[at] < stop_s:
                calls = [partial(func, make_input(size)) for _ in range(count)]
                least[at] = min(least[at], cpu_seconds(calls))
    return [max(seconds, 1e-9) for seconds in least]


def _orders(call: Callable[[], object]) -> bool:
    """Whether C code sorts or keeps a heap, at least of a small input."""
    return not _ORDERING.isdisjoint(c_calls(call))


def _sorts(call: Callable[[], object]) -> bool:
    """Whether most of the time in C goes to sorting."""
    spent = c_calls(call)
    return spent["sort"] + spent["sorted"] > 0.5 * sum(spent.values())
