"""What becomes of an admitted call: how long it takes, and what goes wrong with it."""

from __future__ import annotations

import math
import random
from typing import Literal

from perfwright.llm.testing.settings import ProviderSettings

Fault = Literal["", "error", "hang", "reset", "truncate", "cut"]
_P99 = 2.326347874  # the 99th percentile of the standard normal distribution


def fault_of(settings: ProviderSettings, rng: random.Random, *, streamed: bool) -> Fault:
    """Draw what goes wrong; empty for nothing."""
    drawn = rng.random()
    shares: tuple[tuple[Fault, float], ...] = (
        ("error", settings.error_ratio),
        ("hang", settings.hang_ratio),
        ("reset", settings.reset_ratio),
        ("cut", settings.cut_ratio) if streamed else ("truncate", settings.truncate_ratio),
    )
    for name, ratio in shares:
        if drawn < ratio:
            return name
        drawn -= ratio
    return ""


def is_slow(settings: ProviderSettings, rng: random.Random) -> bool:
    """Draw whether a call is one of the slow ones."""
    return settings.slow_ratio > 0.0 and rng.random() < settings.slow_ratio


def latency_s(settings: ProviderSettings, rng: random.Random) -> float:
    """Draw how long a call takes that is not one of the slow ones."""
    median_s, p99_s = settings.latency_s, settings.latency_p99_s
    if p99_s is None or median_s == 0.0:
        return median_s
    sigma = abs(math.log(p99_s / median_s)) / _P99
    return rng.lognormvariate(math.log(median_s), sigma)
