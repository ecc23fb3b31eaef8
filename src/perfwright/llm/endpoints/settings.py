"""How hard a call tries."""

from __future__ import annotations

import math
from dataclasses import dataclass

from perfwright.core import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeSettings:
    """When a second request is sent for a call whose first one is late.

    Raises:
        ConfigError: If a value is out of its range.
    """

    budget_ratio: float = 0.065
    """Extra requests, as a share of the calls, 0 to 1."""
    quantile: float = 0.9
    """A request is late when it takes longer than this share, 0 to 1, of recent ones ..."""
    factor: float = 1.25
    """... and so many times longer at that."""
    min_samples: int = 10
    """Answers that must be known before anything counts as late."""
    min_delay_s: float = 0.02
    """Nothing is late before."""

    def __post_init__(self) -> None:
        _check_range("budget_ratio", self.budget_ratio, low=0.0, high=1.0)
        _check_range("quantile", self.quantile, low=0.5, high=0.999)
        _check_range("factor", self.factor, low=1.0)
        _check_range("min_samples", self.min_samples, low=2)
        _check_range("min_delay_s", self.min_delay_s, low=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """What holds for all calls of a pool.

    Raises:
        ConfigError: If a value is out of its range.
    """

    timeout_s: float = 60.0
    """For a whole call, with its waits and retries; `math.inf` waits for as long as it takes."""
    attempt_timeout_s: float = 600.0
    """For one request; the call's own time may end it sooner."""
    max_retries: int = 8
    """After errors that may pass. Waiting for a limit, a 429 too, and probing an endpoint that is
    down are not counted: these end with the call's time."""
    retry_budget_ratio: float = 0.2
    """Retries of all calls, as a share of the calls ..."""
    retry_floor_per_s: float = 2.0
    """... and so many a second besides, 20 at once, so that a small job may retry. A retry beyond
    waits for its turn."""
    backoff_s: float = 0.1
    """Before the first retry it waits for 0 up to so long, evenly drawn; each time up to twice as
    long."""
    max_backoff_s: float = 8.0
    wait_when_down_s: float = 30.0
    """While the breaker of the only endpoint is open, calls wait for it until it has been open for
    so long, and fail at once from then on. 0: always at once."""
    breaker_failures: int = 8
    """So many failures in a row open an endpoint's breaker; so does half of the last 5 s' calls."""
    breaker_open_s: float = 0.25
    """Until the first probe of an endpoint that is down; the interval doubles ..."""
    breaker_max_open_s: float = 0.75
    """... up to this."""
    fallback_after_s: float = 5.0
    """A call goes to the next endpoint if the preferred one would keep it waiting for longer, since
    a 429 has stopped it or too many wait for its rate; and at once if its breaker is open."""
    headroom_ratio: float = 0.005
    """This share of each rate is left unspent: requests do not travel equally fast."""
    hedge: bool | HedgeSettings = True

    def __post_init__(self) -> None:
        _check_range("timeout_s", self.timeout_s, low=0.001, high=math.inf)
        _check_range("attempt_timeout_s", self.attempt_timeout_s, low=0.001, high=math.inf)
        _check_range("max_retries", self.max_retries, low=0)
        _check_range("retry_budget_ratio", self.retry_budget_ratio, low=0.0, high=10.0)
        _check_range("retry_floor_per_s", self.retry_floor_per_s, low=0.0)
        _check_range("backoff_s", self.backoff_s, low=0.0)
        _check_range("max_backoff_s", self.max_backoff_s, low=self.backoff_s)
        _check_range("wait_when_down_s", self.wait_when_down_s, low=0.0, high=math.inf)
        _check_range("breaker_failures", self.breaker_failures, low=1)
        _check_range("breaker_open_s", self.breaker_open_s, low=0.001)
        _check_range("breaker_max_open_s", self.breaker_max_open_s, low=self.breaker_open_s)
        _check_range("fallback_after_s", self.fallback_after_s, low=0.0, high=math.inf)
        _check_range("headroom_ratio", self.headroom_ratio, low=0.0, high=0.9)

    @property
    def hedging(self) -> HedgeSettings | None:
        """How to hedge; None: not at all."""
        if isinstance(self.hedge, HedgeSettings):
            return self.hedge
        return HedgeSettings() if self.hedge else None


def _check_range(field: str, value: float, *, low: float, high: float = 1e9) -> None:
    if not low <= value <= high:
        raise ConfigError(field=field, value=value, problem=f"must be from {low:g} to {high:g}")
