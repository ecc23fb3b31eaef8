"""When a budget is filled again."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import NamedTuple

from perfwright.core import Clock
from perfwright.llm.cost.budget import Budget


class Period(NamedTuple):
    """One period of a budget."""

    number: int
    """Counted from 1970; 0 where there are no periods."""
    ends_s: float
    """Seconds since 1970, infinite where there are none."""


FOREVER = Period(0, math.inf)


def period_of(budget: Budget, now_s: float) -> Period:
    """Return the period of a time, in seconds since 1970 in UTC."""
    if budget.monthly:
        now = datetime.fromtimestamp(now_s, UTC)
        number = 12 * now.year + now.month - 1
        year, month = divmod(number + 1, 12)
        return Period(number, datetime(year, month + 1, 1, tzinfo=UTC).timestamp())
    if budget.period_s is None:
        return FOREVER
    number = math.floor(now_s / budget.period_s)
    return Period(number, (number + 1) * budget.period_s)


class Calendar:
    """Seconds since 1970 that never go backwards, and go on with the injected clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_s = clock.today().timestamp() - clock.now()

    def now(self) -> float:
        """Return the present time; a machine that has slept is noticed by its date."""
        counted_s = self._offset_s + self._clock.now()
        ahead_s = self._clock.today().timestamp() - counted_s
        if ahead_s > 0.0:
            self._offset_s += ahead_s
            return counted_s + ahead_s
        return counted_s
