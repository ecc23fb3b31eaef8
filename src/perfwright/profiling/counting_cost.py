"""What counting calls costs on this machine."""

from __future__ import annotations

import cProfile
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import FunctionType

from perfwright.profiling.interpreting import Mix, mix_of

_LOOPS, _ROUNDS, _SEVERAL = 2_048, 9, 32
FREE_DOUBLINGS = 0.5
"""Between two functions the tree tells at half the cost of a level."""
_USUAL_RATIO = 2.0
"""Of code whose instructions are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingCost:
    """What counting adds."""

    python_s: float
    """To a call of a Python function by another one."""
    from_c_s: float
    """To one by C code, as `__init__` and a key of `sorted` are called."""
    resume_s: float
    """To each item of a generator."""
    builtin_s: float
    """To a call of a C function."""
    clocked_s: float
    """The part of that which cProfile takes for the function's own time."""
    doubling_s: float = 0.0
    """More to any call for each doubling of the functions that are called in turn: cProfile looks
    them up in a tree. Half of it lies in what cProfile takes for the function's own time."""
    slowness: float
    """How much longer interpreting takes than the instructions foretell: 1 as foretold, 0 for an
    interpreter that runs as fast as ever."""

    instruction_s: float = 1e-9
    """What is added to interpreting, for each nanosecond that is foretold."""

    def ratio(self, mix: Mix | None) -> float:
        """How many times as long interpreted code takes."""
        foretold = _USUAL_RATIO if mix is None else mix.ratio
        return 1.0 + (foretold - 1.0) * self.slowness


def measure_counting() -> CountingCost:
    """Measure on this machine what cProfile adds to a call; takes some 60 ms."""
    loop = mix_of(_interpret.__code__)
    plain_s, more_s = _plain_and_more_s(_interpret)
    instruction_s = more_s / loop.turn_ns

    def added_s(work: Callable[[], None], *turns: Callable[..., object]) -> float:
        _, more_s = _plain_and_more_s(work)
        interpreting_ns = sum(mix_of(each.__code__).turn_ns for each in turns)
        return max(0.0, more_s - interpreting_ns * instruction_s)

    python_s = added_s(_call_python, _call_python, _nothing)
    several_s = added_s(partial(_call_each, _alike(_SEVERAL)), _call_each, _nothing)
    one_s = added_s(partial(_call_each, _alike(1)), _call_each, _nothing)
    return CountingCost(
        python_s=python_s,
        from_c_s=added_s(_call_from_c, _nothing_of),
        resume_s=added_s(_resume, _numbers),
        builtin_s=added_s(_call_builtin, _call_builtin),
        clocked_s=_clocked_s(),
        doubling_s=max(0.0, several_s - one_s) / (math.log2(_SEVERAL) - FREE_DOUBLINGS),
        slowness=more_s / plain_s / (loop.ratio - 1.0) if plain_s else 0.0,
        instruction_s=instruction_s,
    )


def _clocked_s() -> float:
    """Return how long cProfile takes a C function for that returns at once."""
    least_s = min(_seconds_in_len() for _ in range(_ROUNDS))
    return least_s / _LOOPS


def _seconds_in_len() -> float:
    profile = cProfile.Profile()
    profile.enable()
    try:
        _call_builtin()
    finally:
        profile.disable()
    found = (entry for entry in profile.getstats() if "len" in str(entry.code))
    return sum(entry.inlinetime for entry in found)


def _plain_and_more_s(work: Callable[[], None]) -> tuple[float, float]:
    """Return the least time of a turn alone, and how much more it is under the counter."""
    pairs = [(_seconds(work), _seconds_counted(work)) for _ in range(_ROUNDS)]
    plain_s = min(plain_s for plain_s, _ in pairs)
    counted_s = min(counted_s for _, counted_s in pairs)
    return plain_s / _LOOPS, max(0.0, counted_s - plain_s) / _LOOPS


def _seconds(work: Callable[[], None]) -> float:
    start_s = time.thread_time()
    work()
    return time.thread_time() - start_s


def _seconds_counted(work: Callable[[], None]) -> float:
    profile = cProfile.Profile()
    profile.enable()
    try:
        return _seconds(work)
    finally:
        profile.disable()


def _nothing() -> None:
    pass


def _nothing_of(_number: int) -> None:
    pass


def _call_python() -> None:
    for _ in range(_LOOPS):
        _nothing()


def _alike(count: int) -> Sequence[Callable[[], None]]:
    """Make functions that cProfile takes for different ones, and repeat them."""
    codes = (_nothing.__code__.replace(co_name=f"_nothing_{at}") for at in range(count))
    return [FunctionType(code, {}) for code in codes] * (_LOOPS // count)


def _call_each(functions: Sequence[Callable[[], None]]) -> None:
    for function in functions:
        function()


def _call_from_c() -> None:
    deque(map(_nothing_of, range(_LOOPS)), maxlen=0)


def _resume() -> None:
    deque(_numbers(), maxlen=0)


def _numbers() -> Iterator[None]:
    for _ in range(_LOOPS):
        yield None


def _call_builtin() -> None:
    length, text = len, ""
    for _ in range(_LOOPS):
        length(text)


class _Box:
    value = 0


def _interpret() -> None:
    box = _Box()
    for number in range(_LOOPS):
        if number > 5:
            box.value = number * number % 7
