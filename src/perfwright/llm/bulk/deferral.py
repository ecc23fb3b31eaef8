"""Whether a bulk job goes through the provider's batches, and until when they are waited for."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

_RESERVE = 1.25
"""Times what the direct path is expected to take is kept for it."""
_LEARNED_FROM = 3
"""Batches before their times are believed rather than the declared one."""


class Completions:
    """How long batches took lately: what the next one is expected to take.

    Args:
        declared_s: What is expected before anything is known. Providers promise a day, and say
            that most batches end within an hour.
    """

    def __init__(self, *, declared_s: float = 3_600.0) -> None:
        self._declared_s = declared_s
        self._taken_s: deque[float] = deque(maxlen=50)

    def learn(self, seconds: float) -> None:
        """Note how long a batch took that came to its end."""
        self._taken_s.append(seconds)

    @property
    def expected_s(self) -> float:
        """Nine of ten batches take no longer."""
        if len(self._taken_s) < _LEARNED_FROM:
            return self._declared_s
        return sorted(self._taken_s)[math.ceil(0.9 * len(self._taken_s)) - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferral:
    """A decision, with its reason."""

    deferred: bool
    """Whether new batches are sent."""
    patience_s: float
    """How long batches are waited for before what they owe goes the direct way; may be infinite."""
    reason: str


def decide(
    *, requests: int, deadline_s: float | None, direct_per_s: float, expected_s: float
) -> Deferral:
    """Choose between half the price and being done sooner.

    Args:
        requests: How many there are.
        deadline_s: Seconds from now by which all must be answered; None if that does not matter.
        direct_per_s: Requests a second that the direct path makes.
        expected_s: What a batch is expected to take.
    """
    if requests == 0:
        return Deferral(deferred=False, patience_s=0.0, reason="there is nothing to send")
    if deadline_s is None:
        return Deferral(deferred=True, patience_s=math.inf, reason="there is no deadline")
    direct_s = _RESERVE * requests / direct_per_s
    patience_s = deadline_s - direct_s
    known = (
        f"a batch is expected to take {expected_s:,.0f} s, and of the {deadline_s:,.0f} s until "
        f"the deadline {direct_s:,.0f} s are kept for the direct path"
    )
    if patience_s >= expected_s:
        return Deferral(deferred=True, patience_s=patience_s, reason=known)
    reason = f"{known}: too little is left"
    return Deferral(deferred=False, patience_s=max(patience_s, 0.0), reason=reason)


def next_poll_s(waited_s: float, *, left_s: float) -> float:
    """Return how long to wait before asking again: a tenth of what was waited, 2 to 60 s."""
    return max(0.0, min(max(waited_s / 10.0, 2.0), 60.0, left_s))
