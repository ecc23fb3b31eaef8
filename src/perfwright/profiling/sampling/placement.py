"""Which processor the sampler's thread runs on: the one of the thread that it looks at."""

from __future__ import annotations

import os
import threading
from pathlib import Path

_EVERY = 10
"""Looks between two times that the place is looked up, at some 25 us."""
_AFTER_STATE = 36
"""Fields of `/proc/.../stat` between the state of a thread and the processor that it last had."""


class Placement:
    """Keeps the calling thread on the processor of a thread that holds the interpreter.

    A program that gives the interpreter up many thousand times a second, as a loop does that has
    always something to do, wakes whoever waits for it each time, and has it back before another
    processor has woken: the sampler waits for tenths of seconds, and both pay for each signal (20
    tasks of `sleep(0)`: 1.20 times slower, 3 looks of 25). On the same processor the sampler gets
    its turn (1.00, all looks). Nothing is lost, as only one of the two can hold the interpreter.
    """

    def __init__(self, native_id: int) -> None:
        self._able = hasattr(os, "sched_setaffinity")
        self._cpu = -1
        self._left = 0
        self._beside(native_id)

    def follow(self, ident: int, *, starved: bool) -> None:
        """Move to where a thread is now, if it is time to see; sooner after a long wait."""
        self._left -= _EVERY // 2 if starved else 1
        if not self._able or self._left > 0:
            return
        for thread in threading.enumerate():
            if thread.ident == ident and thread.native_id is not None:
                self._beside(thread.native_id)

    def _beside(self, native_id: int) -> None:
        self._left = _EVERY
        if not self._able:
            return
        try:
            text = Path(f"/proc/self/task/{native_id}/stat").read_text(encoding="ascii")
            cpu = int(text.rpartition(")")[2].split()[_AFTER_STATE])
            if cpu != self._cpu:
                os.sched_setaffinity(0, {cpu})  # of the calling thread alone
                self._cpu = cpu
        except (OSError, ValueError, IndexError):
            # The thread has ended, its processor was taken away, or there is no such file: looking
            # works without, so no more is tried than next time.
            self._cpu = -1
