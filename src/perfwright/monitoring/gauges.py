"""How full things are: pools, queues, disks. Set by the program, or read from it when asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from reprlib import repr  # noqa: A004 - an integer may have thousands of digits
from threading import Lock

from perfwright.core import ConfigError
from perfwright.monitoring._handlers import is_of_handler
from perfwright.monitoring.forks import renew_after_fork


class _Watched:
    """One call of `watch`: the same function may be given twice."""

    __slots__ = ("read",)

    def __init__(self, read: Callable[[], float]) -> None:
        self.read = read


class Gauges:
    """Named numbers that go up and down; threads may use it at the same time."""

    def __init__(self, max_names: int = 1000) -> None:
        """Make it empty.

        Args:
            max_names: How many names are kept, so that names made of data cannot fill the memory.

        Raises:
            ConfigError: If it is below 1.
        """
        if max_names < 1:
            raise ConfigError(field="max_names", value=max_names, problem="must be at least 1")
        self._max_names = max_names
        self._set: dict[str, float] = {}
        self._watched: dict[str, _Watched] = {}
        self.dropped = 0
        """Values for names that were refused because there were enough."""
        self.errors = 0
        """Watched gauges that failed, or returned no finite number, when they were read."""
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Go on in a forked child, with what the gauges show."""
        self._lock = Lock()

    def set(self, name: str, value: float) -> None:
        """Say what a gauge shows from now on.

        Raises:
            TypeError: If the name is no string, or the value no number.
            ValueError: If it is not finite.
        """
        _check_name(name)
        if not hasattr(type(value), "__float__"):
            raise TypeError(f"gauge {name!r} shows a number, not {type(value).__name__}")
        if not _is_finite(value):
            raise ValueError(f"gauge {name!r} cannot show {repr(value)}: give a finite number")
        with self._lock:
            if self._has_room(name):
                self._watched.pop(name, None)
                self._set[name] = float(value)

    def watch(self, name: str, read: Callable[[], float]) -> Callable[[], None]:
        """Let a gauge be read by calling `read`, quick and in any thread, whenever it is shown.

        Returns:
            What ends that, unless somebody else says meanwhile what the gauge shows.

        Raises:
            TypeError: If `read` cannot be called, or the name is no string.
        """
        _check_name(name)
        if not callable(read):
            raise TypeError(f"gauge {name!r}: read must be callable, not {type(read).__name__}")
        watched = _Watched(read)
        with self._lock:
            if self._has_room(name):
                self._set.pop(name, None)
                self._watched[name] = watched
        return partial(self._unwatch, name, watched)

    def remove(self, name: str) -> None:
        """Forget a gauge; nothing happens if there is none."""
        with self._lock:
            self._set.pop(name, None)
            self._watched.pop(name, None)

    def losses(self) -> dict[str, int]:
        """Return what was not shown: values that found no room, and reads that failed."""
        return {"dropped": self.dropped, "errors": self.errors}

    def _unwatch(self, name: str, watched: _Watched) -> None:
        with self._lock:
            if self._watched.get(name) is watched:
                del self._watched[name]

    def read(self) -> dict[str, float]:
        """Return what all gauges show now, by name; those that cannot be read are left out."""
        with self._lock:
            shown, watched = dict(self._set), dict(self._watched)
        for name, each in watched.items():  # unlocked: it is foreign code, which may call us
            try:
                value = float(each.read())
            except Exception as error:  # the program's own code must not break a report
                if is_of_handler(error):
                    raise
                value = math.nan
            if math.isfinite(value):
                shown[name] = value
            else:
                self.errors += 1
        return dict(sorted(shown.items()))

    def _has_room(self, name: str) -> bool:
        known = name in self._set or name in self._watched
        if not known and len(self._set) + len(self._watched) >= self._max_names:
            self.dropped += 1
            return False
        return True


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name of a gauge is a string, not {type(name).__name__}")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floating point numbers
        return False
