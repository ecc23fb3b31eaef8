"""An alert for what does not come any more."""

from __future__ import annotations

from dataclasses import dataclass

from perfwright.monitoring.alerts.rule import Observation, Rule, Watch, require


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence(Rule):
    """An operation that should come has not come for `within_s` seconds.

    An operation that the rule names is expected from the start; of a pattern, those that came once.
    """

    within_s: float

    def __post_init__(self) -> None:
        Rule.__post_init__(self)  # super() does not work in a class with slots
        require("within_s", self.within_s, least=1e-3)

    def watch(self, *, now_s: float) -> Watch:
        """Begin to watch one operation."""
        return _Last(self, now_s)


class _Last:
    def __init__(self, rule: Absence, now_s: float) -> None:
        self._rule, self._start_s = rule, now_s
        self._last_s: float | None = None

    def add(self, *, end_s: float, seconds: float, failed: bool) -> None:
        self._last_s = end_s if self._last_s is None else max(end_s, self._last_s)

    def look(self, now_s: float) -> Observation | None:
        seen = self._last_s is not None
        gone_s = now_s - (self._last_s if self._last_s is not None else self._start_s)
        text = f"last seen {gone_s:.4g} s ago" if seen else f"not seen in {gone_s:.4g} s"
        text += f", expected within {self._rule.within_s:g} s"
        return Observation(gone_s > self._rule.within_s, gone_s, text)
