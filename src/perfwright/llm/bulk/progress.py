"""How far a bulk job has come."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from perfwright.core import Clock
from perfwright.llm.replies import Completion


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The state of a bulk job at one moment."""

    done: int
    """Requests that have ended, well or not."""
    total: int | None
    """All requests; None while an iterator still hides how many there are."""
    failed: int
    """Part of `done` that ended with an error."""
    restored: int
    """Part of `done` that came from the job file, without a call."""
    cost_usd: float
    """Of all that is done, what an earlier run paid for it included."""
    elapsed_s: float
    """Since this run began."""


class Meter:
    """Counts outcomes, and tells of them at a bounded rate."""

    def __init__(
        self,
        tell: Callable[[Progress], object] | None,
        *,
        total: int | None,
        interval_s: float,
        clock: Clock,
    ) -> None:
        self.total = total
        self._tell, self._interval_s, self._clock = tell or _tell_nobody, interval_s, clock
        self._done = self._failed = self._restored = 0
        self._cost_usd = 0.0
        self._start_s = clock.now()
        self._due_s = self._start_s if tell else math.inf
        self._told = -1

    def count(self, outcome: Completion | Exception, *, restored: bool = False) -> None:
        """Note that one more request has ended."""
        self._done += 1
        self._restored += restored
        if isinstance(outcome, Completion):
            self._cost_usd += outcome.cost_usd or 0.0
        else:
            self._failed += 1
        if self._due_s < math.inf and self._clock.now() >= self._due_s:
            self._say()

    def finish(self) -> None:
        """Tell of the end, unless the last word was the end already."""
        self.total = self._done
        if self._told != self._done:
            self._say()

    def _say(self) -> None:
        now_s = self._clock.now()
        self._due_s, self._told = now_s + self._interval_s, self._done
        self._tell(
            Progress(
                done=self._done,
                total=self.total,
                failed=self._failed,
                restored=self._restored,
                cost_usd=self._cost_usd,
                elapsed_s=now_s - self._start_s,
            )
        )


def _tell_nobody(_: Progress) -> None:
    pass
