"""An event loop whose clock jumps to the next timer: minutes of waiting in a second, and exact."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_RESOLUTION_S = 1e-9


class _Leaping(selectors.SelectSelector):
    """Instead of waiting for input or output, of which there is none, moves the clock."""

    now_s = 0.0
    turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Move on by `timeout`; None means that nothing will ever happen again."""
        self.turns += 1
        if timeout is None:
            raise RuntimeError("deadlock: every task waits and no timer is set")
        self.now_s += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop for tasks, futures and timers alone."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)
        self._clock_resolution = _RESOLUTION_S

    def time(self) -> float:
        """Return the seconds of simulated time."""
        return self._leaping.now_s

    @property
    def turns(self) -> int:
        """How often the loop has turned."""
        return self._leaping.turns


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` in simulated time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
