"""An alert for a number above or below a limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from perfwright.core import ConfigError, is_number
from perfwright.monitoring.alerts.measures import Measure, latency, require_metric
from perfwright.monitoring.alerts.rule import (
    Observation,
    Rule,
    Watch,
    expected,
    require,
    require_whole,
)
from perfwright.monitoring.alerts.slots import SLOTS, Slots, TimedSlot


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold(Rule):
    """A number is above or below a limit.

    The number is a `metric` of the operations that ended in the last `window_s` seconds, or what
    `read` returns, such as the size of a queue.
    """

    metric: Measure = "p95"
    read: Callable[[], float] | None = None
    """Called at each look, instead of a metric of operations; NaN means that nothing is known."""
    above: float | None = None
    below: float | None = None
    window_s: float = 60.0
    min_count: int = 20
    """Fewer operations in the window decide nothing; `rate` and `count` need none."""

    def __post_init__(self) -> None:
        Rule.__post_init__(self)  # super() does not work in a class with slots
        require_metric(self.metric)
        if (self.above is None) == (self.below is None):
            problem = "name exactly one of above and below"
            raise ConfigError(field="above", value=self.above, problem=problem)
        field, limit = ("above", self.above) if self.above is not None else ("below", self.below)
        if not is_number(limit) or math.isnan(limit):  # type: ignore[arg-type]  # a number
            raise ConfigError(field=field, value=limit, problem="must be a number")
        is_ratio = self.read is None and self.metric == "error_ratio"
        if is_ratio and (limit >= 1 if field == "above" else limit <= 0):  # type: ignore[operator]  # likewise
            problem = "can never be reached: an error_ratio is 0 to 1"
            raise ConfigError(field=field, value=limit, problem=problem)
        require("window_s", self.window_s, least=1e-3)
        require_whole("min_count", self.min_count)

    @property
    def expected(self) -> str | None:
        """A reading is there from the start, under the empty name."""
        return "" if self.read is not None else expected(self.operation)

    def matches(self, operation: str) -> bool:
        """A reading has nothing to do with operations."""
        return self.read is None and Rule.matches(self, operation)

    def watch(self, *, now_s: float) -> Watch:
        """Begin to watch one operation."""
        return _Reading(self, self.read) if self.read is not None else _Level(self, now_s)

    def judge(self, value: float, *, what: str) -> Observation:
        """Compare a value with the limit."""
        if self.above is not None:
            broken, limit, side = value > self.above, self.above, "above"
        else:
            assert self.below is not None  # noqa: S101 - checked when the rule was made
            broken, limit, side = value < self.below, self.below, "below"
        return Observation(broken, value, f"{what}, {'' if broken else 'not '}{side} {limit:.4g}")


class _Reading:
    def __init__(self, rule: Threshold, read: Callable[[], float]) -> None:
        self._rule, self._read = rule, read

    def add(self, *, end_s: float, seconds: float, failed: bool) -> None:
        """Nothing to note: the value is read."""

    def look(self, now_s: float) -> Observation | None:
        value = float(self._read())
        if math.isnan(value):
            return None
        return self._rule.judge(value, what=f"the value is {value:.4g}")


class _Level:
    def __init__(self, rule: Threshold, now_s: float) -> None:
        self._rule, self._start_s = rule, now_s
        self._slots = Slots(TimedSlot, width_s=rule.window_s / SLOTS, keep=SLOTS + 2)

    def add(self, *, end_s: float, seconds: float, failed: bool) -> None:
        slot = self._slots.slot(end_s)
        slot.count += 1
        slot.failed += failed
        slot.sketch.add(seconds)

    def look(self, now_s: float) -> Observation | None:
        rule = self._rule
        slots = list(self._slots.last(rule.window_s, now_s=now_s))
        count = sum(slot.count for slot in slots)
        if rule.metric in ("rate", "count"):
            start_s = max(self._start_s, self._slots.start_of(rule.window_s, now_s=now_s))
            watched_s = now_s - start_s
            if watched_s < rule.window_s and rule.below is not None:
                return None  # a window that has not passed yet cannot hold too little
            value = count / watched_s if rule.metric == "rate" and watched_s > 0 else float(count)
        elif count < max(1, rule.min_count):
            return None
        elif rule.metric == "error_ratio":
            value = sum(slot.failed for slot in slots) / count
        else:
            value = latency(rule.metric, [slot.sketch for slot in slots])
        unit = {"rate": "/s", "count": "", "error_ratio": ""}.get(rule.metric, " s")
        what = f"{rule.metric} {value:.4g}{unit} of {count} in {rule.window_s:g} s"
        return rule.judge(value, what=what)
