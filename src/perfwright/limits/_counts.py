"""What a limiter has done so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from perfwright.limits.rate import Costs
from perfwright.monitoring import Distribution, Metric


def available_metric(value: float, *, limiter: str, limit: str) -> Metric:
    """Make the gauge of what a limit has left."""
    return Metric(
        name="limit_available",
        kind="gauge",
        value=value,
        help="What could be taken at once; below 0 there is a debt.",
        labels={"limiter": limiter, "limit": limit},
    )


class Counts:
    """Totals since the start; costs are kept for each limit."""

    def __init__(self, name: str, limits: Sequence[str]) -> None:
        self._name, self._limits = name, tuple(limits)
        self.acquired = self.refused = self.timeouts = self.cancelled = 0
        self.waits = 0
        self.wait_s = self.max_wait_s = 0.0
        self.spent = [0.0] * len(self._limits)
        self.refunded = [0.0] * len(self._limits)
        self.overrun = [0.0] * len(self._limits)

    def let_through(self, costs: Costs, *, wait_s: float = 0.0) -> None:
        """One call has got through."""
        self.acquired += 1
        for place, cost in enumerate(costs):
            self.spent[place] += cost
        if wait_s > 0.0:
            self.waits += 1
            self.wait_s += wait_s
            self.max_wait_s = max(self.max_wait_s, wait_s)

    def settled(self, reserved: Costs, actual: Costs) -> None:
        """A call has cost less or more than reserved."""
        for place, (before, after) in enumerate(zip(reserved, actual, strict=True)):
            self.refunded[place] += max(0.0, before - after)
            self.overrun[place] += max(0.0, after - before)

    def as_dict(self, *, waiting: int) -> dict[str, Any]:
        """Return the totals; times are seconds, costs by the name of their limit."""
        return {
            "acquired": self.acquired,
            "refused": self.refused,
            "timeouts": self.timeouts,
            "cancelled": self.cancelled,
            "waiting": waiting,
            "waits": self.waits,
            "avg_wait_time": self.wait_s / self.waits if self.waits else 0.0,
            "max_wait_time": self.max_wait_s,
            "spent": self._by_limit(self.spent),
            "refunded": self._by_limit(self.refunded),
            "overrun": self._by_limit(self.overrun),
        }

    def metrics(self, *, waiting: int) -> Iterator[Metric]:
        """Yield the totals as metrics, labelled with the limiter and, for costs, the limit."""
        own = {"limiter": self._name}
        for outcome in ("acquired", "refused", "timeouts", "cancelled"):
            yield Metric(
                name="limit_calls",
                kind="counter",
                value=getattr(self, outcome),
                help="Calls that asked to get through, by outcome.",
                labels={**own, "outcome": outcome},
            )
        yield Metric(
            name="limit_waiting",
            kind="gauge",
            value=waiting,
            help="Calls that wait at this moment.",
            labels=own,
        )
        yield Metric(
            name="limit_wait",
            kind="summary",
            value=Distribution(count=self.waits, total=self.wait_s),
            help="Time that calls have waited, without those that did not have to.",
            unit="seconds",
            labels=own,
        )
        for name in ("spent", "refunded", "overrun"):
            for limit, value in self._by_limit(getattr(self, name)).items():
                yield Metric(
                    name=f"limit_{name}",
                    kind="counter",
                    value=value,
                    help="Cost of the calls, what they gave back, what they had not reserved.",
                    labels={**own, "limit": limit},
                )

    def _by_limit(self, values: Sequence[float]) -> Mapping[str, float]:
        return dict(zip(self._limits, values, strict=True))
