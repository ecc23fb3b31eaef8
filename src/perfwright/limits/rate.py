"""What a limit allows, and what a call costs of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from perfwright.core import ConfigError, CostTooHighError, is_number
from perfwright.limits._checking import check_range

Cost = float | Mapping[str, float]
"""Of one limit a number; of several, one number for each by name."""
Costs = tuple[float, ...]
"""The same in the order of the limits, which is how it is counted inside."""
Oversized = Literal["refuse", "debt"]
"""A call that costs more than the burst is refused, or let through when the bucket is full."""

ONLY = "calls"
"""Name of the limit where there is one only."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So much per second in the long run, and so much at once after a rest.

    In any `t` seconds at most `burst + per_s * t` gets through.
    """

    per_s: float
    """Units per second, above 0."""
    burst: float = 0.0
    """Units, above 0; by default what one second brings, but at least 1."""

    def __post_init__(self) -> None:
        for field in ("per_s", "burst"):
            if not (is_number(getattr(self, field)) and math.isfinite(getattr(self, field))):
                raise ConfigError(field=field, value=getattr(self, field), problem="not a number")
        check_range("per_s", self.per_s, above=0.0)
        check_range("burst", self.burst, at_least=0.0)
        if self.burst == 0.0:
            object.__setattr__(self, "burst", max(1.0, self.per_s))

    @classmethod
    def per_minute(cls, units: float, burst: float = 0.0) -> Rate:
        """Allow `units` in a minute; the burst, too, is by default what one second brings."""
        return cls(units / 60.0, burst)

    def share(self, ratio: float) -> Rate:
        """Return this part of it, 0 to 1."""
        return Rate(self.per_s * ratio, self.burst * ratio)

    def without(self, headroom_ratio: float) -> Rate:
        """Return it with the same burst, and this part of the rate unspent."""
        return Rate(self.per_s * (1.0 - headroom_ratio), self.burst)


class Tariff:
    """The limits of one limiter by name, and the reading of costs against them.

    Raises:
        ConfigError: If there is no limit.
    """

    def __init__(self, rates: Rate | Mapping[str, Rate], *, oversized: Oversized) -> None:
        by_name = {ONLY: rates} if isinstance(rates, Rate) else dict(rates)
        if not by_name:
            raise ConfigError(field="rates", value=rates, problem="name at least one limit")
        if oversized not in ("refuse", "debt"):
            raise ConfigError(field="oversized", value=oversized, problem="must be refuse or debt")
        self.rates = by_name
        self.names = tuple(by_name)
        self._single = len(by_name) == 1
        self._refuses = oversized == "refuse"

    def costs(self, cost: Cost) -> Costs:
        """Read the cost of a call.

        Raises:
            ConfigError: If it is negative, not finite, or does not name exactly the limits.
            CostTooHighError: If it is above a burst and such calls are refused.
        """
        costs = (cost,) if self._single and not isinstance(cost, Mapping) else self._named(cost)
        for name, value in zip(self.names, costs, strict=True):
            if not 0.0 <= value < math.inf:
                raise ConfigError(field="cost", value=value, problem="must be 0 or more, finite")
            if self._refuses and value > self.rates[name].burst:
                raise CostTooHighError(limit=name, cost=value, burst=self.rates[name].burst)
        return costs

    def actual(self, cost: Cost, reserved: Costs) -> Costs:
        """Read what a call has cost in the end; a limit that is not named cost what was reserved.

        Raises:
            ConfigError: If it is negative, not finite, or names a limit that does not exist.
        """
        if self._single and not isinstance(cost, Mapping):
            cost = {self.names[0]: cost}
        costs = self._named(dict(zip(self.names, reserved, strict=True)) | _mapping(cost))
        if not all(0.0 <= value < math.inf for value in costs):
            raise ConfigError(field="cost", value=cost, problem="must be 0 or more, finite")
        return costs

    def change(self, rate: Rate, *, limit: str | None) -> None:
        """Give a limit another rate; its name may be left out where there is one only.

        Raises:
            ConfigError: If there is no such limit.
        """
        self.rates[self.check_name(limit)] = rate

    def check_name(self, limit: str | None) -> str:
        """Return the name of the limit that is meant.

        Raises:
            ConfigError: If there is no such limit.
        """
        if limit is None and self._single:
            return self.names[0]
        if limit not in self.rates:
            raise ConfigError(field="limit", value=limit, problem=f"must be one of {self.names}")
        return limit

    def _named(self, cost: Cost) -> Costs:
        if not isinstance(cost, Mapping) or cost.keys() != self.rates.keys():
            problem = f"must name each of the limits {', '.join(self.names)}, and nothing else"
            raise ConfigError(field="cost", value=cost, problem=problem)
        return tuple(cost[name] for name in self.names)


def _mapping(cost: Cost) -> dict[str, float]:
    if not isinstance(cost, Mapping):
        raise ConfigError(field="cost", value=cost, problem="several limits: name what is meant")
    return dict(cost)


def nothing_of(costs: Costs) -> Costs:
    """Return costs of 0 for as many limits."""
    return (0.0,) * len(costs)
