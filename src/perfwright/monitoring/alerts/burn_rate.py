"""An alert for an objective whose error budget is spent too fast."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from perfwright.core import ConfigError, is_number
from perfwright.monitoring.alerts.notices import Severity
from perfwright.monitoring.alerts.rule import Observation, Rule, Watch, require, require_whole
from perfwright.monitoring.alerts.slots import SLOTS, Slot, Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRate(Rule):
    """A service-level objective's error budget is being spent too fast.

    The burn rate is the share of bad operations over the share that the objective allows: at 1 the
    budget lasts exactly as long as its period. The alert fires where it is reached in two windows:
    the long one says that it matters, the short one that it goes on. The defaults spend 2 % of a
    30-day budget within the long window.

    Source: Google, The Site Reliability Workbook (2018), chapter 5.
    """

    objective: float
    """Share of operations that must be good, such as 0.999."""
    latency_s: float | None = None
    """Operations that take longer are bad too; None: only failed ones are."""
    long_s: float = 3600.0
    short_s: float = 300.0
    factor: float = 14.4
    min_bad: int = 5
    """Fewer bad operations in the long window do not fire: one out of one is no trend."""
    severity: Severity = "critical"

    def __post_init__(self) -> None:
        Rule.__post_init__(self)  # super() does not work in a class with slots
        if not is_number(self.objective) or not 0.0 < self.objective < 1.0:
            problem = "must be above 0 and below 1, such as 0.999"
            raise ConfigError(field="objective", value=self.objective, problem=problem)
        if self.latency_s is not None:
            require("latency_s", self.latency_s, least=0.0)
        require("short_s", self.short_s, least=1e-3)
        require("long_s", self.long_s, least=self.short_s)
        require("factor", self.factor, least=1e-9)
        require_whole("min_bad", self.min_bad)
        if self.bad_share > 1:
            most = float(1 / _exactly(self.objective, from_one=True))
            problem = f"can never be reached: all failing burns at most {most:g} times too fast"
            remedy = f"with the objective {self.objective:g}, give at most {most:g}"
            raise ConfigError(field="factor", value=self.factor, problem=f"{problem}; {remedy}")

    @property
    def bad_share(self) -> Decimal:
        """From which share of bad operations on the budget burns too fast, 0 to 1."""
        return _exactly(self.factor) * _exactly(self.objective, from_one=True)

    def watch(self, *, now_s: float) -> Watch:
        """Begin to watch one operation."""
        return _Burn(self)


def _exactly(value: float, *, from_one: bool = False) -> Decimal:
    """Return the number as it was written, or what it lacks of 1: `1 - 0.99` is not 0.01."""
    written = Decimal(str(float(value)))
    return 1 - written if from_one else written


class _Burn:
    def __init__(self, rule: BurnRate) -> None:
        self._rule = rule
        width_s = max(rule.short_s / SLOTS, rule.long_s / 1000.0)
        self._slots = Slots(Slot, width_s=width_s, keep=math.ceil(rule.long_s / width_s) + 2)
        self._share = rule.bad_share
        self._allowed = 1.0 - rule.objective
        self._limit_s = math.inf if rule.latency_s is None else rule.latency_s

    def add(self, *, end_s: float, seconds: float, failed: bool) -> None:
        slot = self._slots.slot(end_s)
        slot.count += 1
        if failed:
            slot.failed += 1
        elif seconds > self._limit_s:
            slot.slow += 1

    def look(self, now_s: float) -> Observation | None:
        rule = self._rule
        (bad, count), recent = self._seen(rule.long_s, now_s), self._seen(rule.short_s, now_s)
        if not count:
            return None
        value = min(self._burn(bad, count), self._burn(*recent))
        lately = f"{recent[0]} of {recent[1]}" if recent[1] else "none"
        text = (
            f"burns its error budget {value:.3g} times as fast as the objective of "
            f"{100 * rule.objective:g} % allows: bad are {bad} of {count} in {rule.long_s:g} s, "
            f"and {lately} in {rule.short_s:g} s"
        )
        broken = bad >= rule.min_bad and self._is_fast(bad, count) and self._is_fast(*recent)
        return Observation(broken, value, text)

    def _seen(self, span_s: float, now_s: float) -> tuple[int, int]:
        """Count the bad ones, and all."""
        slots = list(self._slots.last(span_s, now_s=now_s))
        return sum(slot.failed + slot.slow for slot in slots), sum(slot.count for slot in slots)

    def _burn(self, bad: int, count: int) -> float:
        return bad / count / self._allowed if count else 0.0

    def _is_fast(self, bad: int, count: int) -> bool:
        return count > 0 and bad >= self._share * count
