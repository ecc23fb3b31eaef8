"""The life of one alert: pending, firing, resolved; and when to speak of it. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from perfwright.monitoring.alerts.notices import Alert
from perfwright.monitoring.alerts.rule import Observation, Rule

Event = Literal["fired", "repeated", "resolved"]


class Condition:
    """One rule and one operation."""

    def __init__(self, rule: Rule, operation: str) -> None:
        self._rule, self._operation = rule, operation
        self.alert: Alert | None = None
        """None while all is well."""
        self._told_s: float | None = None
        self._told = False
        self.suppressed = 0
        """Times that it fired within its cooldown."""

    @property
    def is_firing(self) -> bool:
        """Whether the alert fires now."""
        return self.alert is not None and self.alert.state == "firing"

    def step(self, seen: Observation | None, *, now_s: float) -> tuple[Event, Alert] | None:
        """Take in what the rule saw.

        Where too little is known (None), what is pending starts anew, and what fires goes on: the
        silence of a service is no good news.

        Returns:
            What to tell, if anything.
        """
        if seen is None:
            if self.alert is not None and self.alert.state == "pending":
                self.alert = None
            return self._repeat(now_s)
        if not seen.broken:
            return self._end(seen, now_s=now_s)
        if self.alert is None:
            self.alert = self._pending(seen, now_s=now_s)
        self.alert = replace(self.alert, text=seen.text, value=seen.value)
        if self.alert.state == "pending" and now_s - self.alert.since_s >= self._rule.for_s:
            self.alert = replace(self.alert, state="firing", fired_s=now_s)
            return self._fire(now_s)
        return self._repeat(now_s)

    def _pending(self, seen: Observation, *, now_s: float) -> Alert:
        return Alert(
            rule=self._rule.name,
            operation=self._operation,
            state="pending",
            severity=self._rule.severity,
            text=seen.text,
            value=seen.value,
            since_s=now_s,
        )

    def _fire(self, now_s: float) -> tuple[Event, Alert] | None:
        assert self.alert is not None  # noqa: S101 - it has just begun to fire
        if self._told_s is not None and now_s - self._told_s < self._rule.cooldown_s:
            self.suppressed += 1
            return None
        self._told, self._told_s = True, now_s
        return "fired", self.alert

    def _repeat(self, now_s: float) -> tuple[Event, Alert] | None:
        if self.alert is None or self.alert.state != "firing":
            return None
        if not self._told:  # it fired within the cooldown, and has outlived it
            waited = self._told_s is None or now_s - self._told_s >= self._rule.cooldown_s
            if waited:
                self._told, self._told_s = True, now_s
                return "fired", self.alert
            return None
        every_s = self._rule.repeat_s
        if every_s and self._told_s is not None and now_s - self._told_s >= every_s:
            self._told_s = now_s
            return "repeated", self.alert
        return None

    def _end(self, seen: Observation, *, now_s: float) -> tuple[Event, Alert] | None:
        alert, told = self.alert, self._told
        self.alert, self._told = None, False
        if alert is None or alert.state == "pending":
            return None
        if not told:
            return None
        over = replace(alert, state="resolved", text=seen.text, value=seen.value, resolved_s=now_s)
        return "resolved", over
