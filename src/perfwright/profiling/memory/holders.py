"""Who holds what, asked for little by little."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence

from perfwright.profiling.memory.owners import owners
from perfwright.profiling.memory.snapshot import Place

FREE_S = 0.1
"""To ask while the program runs, in any case."""
ASKING_S = 0.5e-6
"""For each object of the process, to find who holds what was allocated somewhere."""
MAX_ASKING_RATIO = 0.05
"""The same, as a part of the time so far."""


class Holders:
    """Names who holds what was allocated at a place, as it is found out.

    Args:
        began_s: When the run began.
    """

    def __init__(self, *, began_s: float) -> None:
        self.names: dict[Place, str] = {}
        """By place; empty, if it was asked for and not found."""
        self._began_s, self._asked_s = began_s, 0.0

    def ask(self, places: Sequence[Place], *, now_s: float | None = None) -> None:
        """Find out who holds what was allocated at these places, unless it is known.

        Args:
            places: To look for; they must be traced.
            now_s: The program runs on: it is not held up for more than a small part of the time.
                None: that is over.
        """
        wanted = [place for place in places if not self.names.get(place)]
        if not wanted:
            return
        if now_s is None:
            self.names |= owners(wanted)
            return
        left_s = FREE_S + MAX_ASKING_RATIO * (now_s - self._began_s) - self._asked_s
        if _count_objects() * ASKING_S < left_s:
            began_s = time.thread_time()
            self.names |= owners(wanted, most_s=left_s)
            self._asked_s += time.thread_time() - began_s


def _count_objects() -> int:
    """Return how many objects the collector knows; in one call, as in `owners`."""
    return sum(map(len, map(gc.get_objects, range(3))))
