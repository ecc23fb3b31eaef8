"""How long calls took against the size of what they worked on, as a running program sees it."""

from __future__ import annotations

import functools
import inspect
import math
from collections import deque
from collections.abc import Callable, Sized
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from perfwright.core import Clock, ConfigError, SystemClock

if TYPE_CHECKING:
    from perfwright.profiling.complexity import Complexity

F = TypeVar("F", bound=Callable[..., Any])


class CallSizes:
    """Keeps the last calls of each function for each magnitude of size; threads may use it.

    Sizes that are rare are thus not driven out by those that are common.
    """

    def __init__(self, *, per_magnitude: int = 32, max_functions: int = 500) -> None:
        """Make it empty.

        Args:
            per_magnitude: How many calls are kept for sizes within a factor of 1.4.
            max_functions: Calls of further functions are counted in `dropped` alone.

        Raises:
            ConfigError: If one is no whole number from 1 up.
        """
        for field, value in (("per_magnitude", per_magnitude), ("max_functions", max_functions)):
            if type(value) is not int or value < 1:
                problem = "must be a whole number from 1 up"
                raise ConfigError(field=field, value=value, problem=problem)
        self._per_magnitude = per_magnitude
        self._max_functions = max_functions
        self._lock = Lock()
        self._calls: dict[str, dict[int, deque[tuple[float, float]]]] = {}
        self.dropped = 0
        """Calls of which nothing was kept: no size, or too many functions."""

    def record(self, function: str, *, size: float, seconds: float) -> None:
        """Keep one call; one whose size is below 1, or whose size or time is no number, is not."""
        with self._lock:
            if not (1.0 <= size < math.inf and 0.0 <= seconds < math.inf):
                self.dropped += 1
                return
            if function not in self._calls and len(self._calls) >= self._max_functions:
                self.dropped += 1
                return
            magnitudes = self._calls.setdefault(function, {})
            magnitude = round(2.0 * math.log2(size))
            if magnitude not in magnitudes:
                magnitudes[magnitude] = deque(maxlen=self._per_magnitude)
            magnitudes[magnitude].append((float(size), float(seconds)))

    def functions(self) -> list[str]:
        """Return the names of all functions seen, sorted."""
        with self._lock:
            return sorted(self._calls)

    def observations(self, function: str) -> list[tuple[float, float]]:
        """Return size and seconds of the calls kept, small sizes first."""
        with self._lock:
            magnitudes = self._calls.get(function, {})
            return [call for magnitude in sorted(magnitudes) for call in magnitudes[magnitude]]

    def complexity(self, function: str) -> Complexity:
        """Name the growth of a function's time; unknown if its sizes do not differ enough."""
        from perfwright.profiling.complexity import complexity_of_observations

        return complexity_of_observations(self.observations(function))


CALL_SIZES = CallSizes()
"""Where `observe_sizes` records unless told otherwise."""


@overload
def observe_sizes(function: F, /) -> F: ...


@overload
def observe_sizes(
    *,
    size: Callable[..., float] | None = None,
    into: CallSizes = CALL_SIZES,
    clock: Clock | None = None,
) -> Callable[[F], F]: ...


def observe_sizes(
    function: F | None = None,
    /,
    *,
    size: Callable[..., float] | None = None,
    into: CallSizes = CALL_SIZES,
    clock: Clock | None = None,
) -> F | Callable[[F], F]:
    """Record size and time of each call of a function, plain or `async`, that does not raise.

    Args:
        function: What is decorated.
        size: Given the arguments of a call, returns the size of its work; by default the length of
            the longest argument. Where it fails the call goes on, and counts as dropped.
        into: What keeps the calls.
        clock: Of what the time is taken; for `async` functions it includes waiting.

    Raises:
        TypeError: For a generator function, whose call does nothing yet, for a class, which would
            be one no longer, and for what cannot be called.
    """
    if function is None:
        return lambda later: _observed(later, size or longest, into=into, clock=clock)
    return _observed(function, size or longest, into=into, clock=clock)


def longest(*args: object, **kwargs: object) -> float:
    """Return the largest length of all arguments; 0 if none has one."""
    found = (len(each) for each in (*args, *kwargs.values()) if isinstance(each, Sized))
    return float(max(found, default=0))


def _observed(
    function: F, size: Callable[..., float], *, into: CallSizes, clock: Clock | None
) -> F:
    if isinstance(function, type) or not callable(function):
        raise TypeError(f"{function!r} is no function: observe a function or a method")
    if inspect.isclass(function) or not callable(function):
        raise TypeError(f"{function!r} is no function: observe its methods")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__qualname__} is a generator: observe what runs through it")
    now = (clock or SystemClock()).now
    name = f"{function.__module__}:{function.__qualname__}"

    def measured(*args: Any, **kwargs: Any) -> float:
        try:
            return float(size(*args, **kwargs))
        except Exception:  # noqa: BLE001 - a mistake in `size` must not end the call
            return math.nan

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            before = measured(*args, **kwargs)  # the call may change its arguments
            started = now()
            result = await function(*args, **kwargs)
            into.record(name, size=before, seconds=now() - started)
            return result

        return cast("F", asynchronous)

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        before = measured(*args, **kwargs)
        started = now()
        result = function(*args, **kwargs)
        into.record(name, size=before, seconds=now() - started)
        return result

    return cast("F", plain)
