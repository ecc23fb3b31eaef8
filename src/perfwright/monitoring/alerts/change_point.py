"""An alert for an operation that has changed against its own recent past."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from perfwright.core import ConfigError, is_number
from perfwright.monitoring.alerts.measures import Measure, latency, require_metric
from perfwright.monitoring.alerts.rule import Observation, Rule, Watch, require, require_whole
from perfwright.monitoring.alerts.slots import Slots, TimedSlot


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint(Rule):
    """The level of an operation's latency has changed, against its own recent past.

    Every `every_s` seconds become one value; the last `keep` of them are searched. The alert fires
    while the latest change goes in the `direction`, and is over when the level goes back, or when
    the change has left the values that are kept: then it is the new normal.
    """

    metric: Measure = "p50"
    every_s: float = 10.0
    keep: int = 100
    """20 to 1000; the memory of the rule, and what counts as normal."""
    false_alarm_rate: float = 0.001
    """Chance of an alert in `keep` values of an operation that did not change, as long as a value
    says nothing of the next one."""
    min_change: float = 0.1
    """Smaller relative changes do not matter."""
    direction: Literal["up", "down", "both"] = "up"
    min_count: int = 5
    """Stretches with fewer operations are left out; `rate` and `count` take all."""

    def __post_init__(self) -> None:
        Rule.__post_init__(self)  # super() does not work in a class with slots
        require_metric(self.metric)
        require("every_s", self.every_s, least=1e-3)
        require("min_change", self.min_change, least=0.0)
        require_whole("min_count", self.min_count)
        if type(self.keep) is not int or not 20 <= self.keep <= 1000:  # work grows with its square
            problem = "must be a whole number from 20 to 1000"
            raise ConfigError(field="keep", value=self.keep, problem=problem)
        if not is_number(self.false_alarm_rate) or not 0.001 <= self.false_alarm_rate < 1.0:
            problem = "must be at least 0.001 and below 1"
            raise ConfigError(
                field="false_alarm_rate", value=self.false_alarm_rate, problem=problem
            )
        if self.direction not in ("up", "down", "both"):
            problem = "must be up, down or both"
            raise ConfigError(field="direction", value=self.direction, problem=problem)

    def watch(self, *, now_s: float) -> Watch:
        """Begin to watch one operation."""
        return _Change(self)


class _Change:
    def __init__(self, rule: ChangePoint) -> None:
        self._rule = rule
        self._slots = Slots(TimedSlot, width_s=rule.every_s, keep=rule.keep + 1)
        self._judged = -1
        self._seen: Observation | None = None

    def add(self, *, end_s: float, seconds: float, failed: bool) -> None:
        slot = self._slots.slot(end_s)
        slot.count += 1
        slot.failed += failed
        slot.sketch.add(seconds)

    def look(self, now_s: float) -> Observation | None:
        current = int(now_s // self._rule.every_s)
        if current != self._judged:
            self._judged = current
            self._seen = self._search(now_s)
        return self._seen

    def _search(self, now_s: float) -> Observation | None:
        from perfwright.stats.change_points import change_points

        rule = self._rule
        values = [value for value in self._values(now_s) if math.isfinite(value)]
        if len(values) < 20:
            return None
        found = change_points(
            values,
            # Each value brings another look, in which chance may have its way: of 0.001 at one look
            # become 0.036 in 100, as changes of the last few values come and go with every one.
            false_alarm_rate=rule.false_alarm_rate / rule.keep,
            min_change=rule.min_change,
            window=max(20, len(values)),
        )
        if not found:
            text = f"{rule.metric} has kept its level for the last {len(values)} values"
            return Observation(False, 0.0, text)
        last = found[-1]
        wanted = {"up": last.change > 0, "down": last.change < 0, "both": True}[rule.direction]
        ago_s = (len(values) - last.index) * rule.every_s
        text = (
            f"{rule.metric} went from {last.before:.4g} to {last.after:.4g} "
            f"({100 * last.change:+.3g} %) about {ago_s:g} s ago (p = {last.p_value:.2g})"
        )
        return Observation(wanted, last.change, text)

    def _values(self, now_s: float) -> list[float]:
        rule = self._rule
        slots = self._slots.finished(rule.keep, now_s=now_s)
        if not slots:
            return []
        if rule.metric in ("rate", "count"):
            known = {number: slot.count for number, slot in slots}
            unit = rule.every_s if rule.metric == "rate" else 1.0
            present = int(now_s // rule.every_s)
            return [known.get(number, 0) / unit for number in range(slots[0][0], present)]
        full = [slot for _, slot in slots if slot.count >= max(1, rule.min_count)]
        if rule.metric == "error_ratio":
            return [slot.failed / slot.count for slot in full]
        return [latency(rule.metric, [slot.sketch]) for slot in full]
