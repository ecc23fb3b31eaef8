"""The options of a batcher, checked once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from perfwright.core import ConfigError, is_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options, under the names and units that the code uses."""

    name: str
    min_size: int
    max_size: int | None
    max_wait_s: float
    target_s: float
    workers: int
    places: float
    """How many items may wait; infinite if unbounded."""
    refuses: bool
    default_timeout_s: float | None
    ageing_s: float
    retries: bool


def checked(
    *,
    name: str,
    min_batch_size: int,
    max_batch_size: int | None,
    max_wait_time: float,
    target_latency: float,
    workers: int,
    max_queue_size: int | None,
    when_full: Literal["wait", "refuse"],
    default_timeout: float | None,
    ageing: float,
    retry_failed: bool,
) -> Settings:
    """Return the settings, or raise a ConfigError that names the option."""
    _at_least(1, min_batch_size=min_batch_size, workers=workers)
    _at_least(min_batch_size, max_batch_size=max_batch_size, max_queue_size=max_queue_size)
    _at_least(0.0, max_wait_time=max_wait_time, ageing=ageing)
    for field, value in (("target_latency", target_latency), ("default_timeout", default_timeout)):
        if value is not None and not (is_number(value) and value > 0.0):
            raise ConfigError(field=field, value=value, problem="must be above 0 seconds")
    if when_full not in ("wait", "refuse"):
        raise ConfigError(field="when_full", value=when_full, problem="is 'wait' or 'refuse'")
    return Settings(
        name=name,
        min_size=min_batch_size,
        max_size=max_batch_size,
        max_wait_s=max_wait_time,
        target_s=target_latency,
        workers=workers,
        places=math.inf if max_queue_size is None else max_queue_size,
        refuses=when_full == "refuse",
        default_timeout_s=default_timeout,
        ageing_s=ageing,
        retries=retry_failed,
    )


def _at_least(least: float, **options: float | None) -> None:
    for field, value in options.items():
        if value is not None and not is_number(value):
            raise ConfigError(field=field, value=value, problem="must be a number")
        if value is not None and not value >= least:
            raise ConfigError(field=field, value=value, problem=f"must be at least {least:g}")
