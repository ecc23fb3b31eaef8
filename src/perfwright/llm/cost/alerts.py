"""Tells when a budget is nearly, or wholly, spent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from perfwright.core import ConfigError
from perfwright.llm.cost.account import Account
from perfwright.llm.cost.ledger import Level

_log = logging.getLogger(__name__)
_MAX_KNOWN = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlert:
    """A budget has passed a threshold."""

    budget: str
    value: str
    """Of the label that it is `per`; empty if it is for all."""
    threshold: float
    """The part of the budget that was passed, 0 to 1."""
    used_ratio: float
    """The part that is spent, of its scarcest limit; above 1 if overspent."""


OnThreshold = Callable[[BudgetAlert], None]
"""Called on the event loop, after the call that has passed it: be quick."""


class Alerts:
    """Calls the hook once for each threshold, budget and period, in this process."""

    def __init__(self, hook: OnThreshold, *, thresholds: Sequence[float]) -> None:
        for threshold in thresholds:
            if not 0.0 < threshold <= 1.0:
                problem = "must be above 0 and at most 1"
                raise ConfigError(field="thresholds", value=threshold, problem=problem)
        self._hook = hook
        self._thresholds = sorted(thresholds)
        self._passed: dict[tuple[str, str], tuple[int, int]] = {}
        self.failures = 0

    def watch(self, level: Level) -> None:
        """Look whether a booking has passed a threshold."""
        ratio = Account(level.budget.limits, spent=level.spent).used_ratio
        key = level.budget.name, level.value
        period, count = self._passed.get(key, (level.period, 0))
        if period != level.period:
            count = 0
        start = count
        while count < len(self._thresholds) and ratio >= self._thresholds[count]:
            count += 1
        if count == start:
            return
        if len(self._passed) >= _MAX_KNOWN:
            del self._passed[next(iter(self._passed))]
        self._passed[key] = level.period, count
        for threshold in self._thresholds[start:count]:
            self._tell(
                BudgetAlert(budget=key[0], value=key[1], threshold=threshold, used_ratio=ratio)
            )

    def _tell(self, alert: BudgetAlert) -> None:
        try:
            self._hook(alert)
        except Exception:  # noqa: BLE001 - the user's hook must not fail a call that is paid for
            self.failures += 1
            _log.exception("on_threshold failed for %s", alert)
