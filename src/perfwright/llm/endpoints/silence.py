"""Which requests are lost: taken by an endpoint that fell silent, and never to be answered."""

from __future__ import annotations

import math

_ENOUGH = 10
"""Answers that must be known before anything counts as lost."""
_WINDOW = 256
_SHORTEST_S = 1.0
_SEVERAL = 3
_TIMES_SEVERAL = 2.0
"""A request among several with no answer is asked for anew after so many times the longest ..."""
_TIMES_ALONE = 20.0
"""... one that is alone, or that others have overtaken, after so many, and after 10 s at least."""
_SHORTEST_ALONE_S = 10.0
_GAP_TIMES = 1.5
"""So many times the longest without any answer, with several under way, was a silence."""
_RARER = 0.25
"""While a silence lasts, the next request is sent after so much of its length so far."""


class Silence:
    """Tells requests that are lost from those that take long, for one kind of request.

    It never says that a request may be ended, only that it is worth sending once more: a long
    answer after many short ones looks like a silence at first, and its request must be left alone.
    """

    __slots__ = (
        "_answers",
        "_asked_s",
        "_last_s",
        "_longest_before_s",
        "_longest_s",
        "_lost_before_s",
        "_newest_s",
        "_under_way",
    )

    def __init__(self) -> None:
        self._under_way = self._answers = 0
        self._longest_s = self._longest_before_s = 0.0
        self._last_s = self._newest_s = self._asked_s = self._lost_before_s = -math.inf

    @property
    def patience_s(self) -> float:
        """No request is lost that has taken less; infinite while too little is known."""
        if self._answers < _ENOUGH:
            return math.inf
        return max(_SHORTEST_S, _TIMES_SEVERAL * self._usual_s)

    @property
    def first_look_s(self) -> float:
        """When to look at a request for the first time, seconds after it was sent."""
        return min(self.patience_s, _SHORTEST_S)

    def began(self) -> None:
        """A call waits for its answer, however many requests it makes."""
        self._under_way += 1

    def ended(self) -> None:
        """It waits no more."""
        self._under_way -= 1

    def answered(self, sent_s: float, *, now_s: float) -> None:
        """The request that was sent at `sent_s` has been answered."""
        if self._answers % _WINDOW == 0:
            self._longest_before_s, self._longest_s = self._longest_s, 0.0
        self._answers += 1
        self._longest_s = max(self._longest_s, now_s - sent_s)
        was_silent = now_s - self._last_s > _GAP_TIMES * self._usual_s
        if was_silent and self._under_way >= _SEVERAL:
            self._lost_before_s = sent_s
        self._last_s = now_s
        self._newest_s = max(self._newest_s, sent_s)

    def is_lost(self, sent_s: float, *, now_s: float, before: int = 0) -> bool:
        """Tell whether to send a request once more; during a silence, only one now and then is.

        Args:
            sent_s: When it was last sent.
            now_s: The time.
            before: How often it was sent once more already.
        """
        patience_s, elapsed_s = self.patience_s, now_s - sent_s
        if elapsed_s < patience_s:
            return False
        alone_s = max(_SHORTEST_ALONE_S, _TIMES_ALONE * self._usual_s) * 2.0 ** min(before, 30)
        if sent_s < self._lost_before_s or (elapsed_s >= alone_s and sent_s < self._newest_s):
            return True
        quiet_s = now_s - max(sent_s, self._last_s)
        if quiet_s < (patience_s if self._under_way >= _SEVERAL else alone_s):
            return False
        if now_s - self._asked_s < max(patience_s, _RARER * (now_s - self._last_s)):
            return False
        self._asked_s = now_s
        return True

    @property
    def _usual_s(self) -> float:
        """The longest that one of the last 256 to 512 took."""
        return max(self._longest_s, self._longest_before_s)
