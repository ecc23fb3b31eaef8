"""When to look, and what a look may cost: alpha spending for a one-sided test.

Looking at the data after every block until it says yes would find a yes in noise. Here the
looks are fixed beforehand and share one error level between them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from perfwright.core import ConfigError
from perfwright.stats.blocks import smallest_tail

FIRST_SHARE = 0.1
"""Part of the error level that the first look may use, so that large effects end early."""

_LATE_POWER = 4
"""The rest is spent as the fourth power of the time gone by: nearly all at the end.

Against a single look at the end this costs three points of power at a 5 % effect.
"""

_LOOKS = 5
_NODES = 160
_REACH = 8.0
_STANDARD_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Look:
    """One planned look at the data."""

    blocks: int
    level: float
    """One-sided p-value at or below which this look decides."""

    @property
    def z(self) -> float:
        """The same bound as a standard score."""
        return _STANDARD_NORMAL.inv_cdf(1.0 - self.level)


def first_look(alpha: float) -> int:
    """Blocks needed before a decision at error level `alpha` is possible at all."""
    blocks = 1
    while smallest_tail(blocks) > FIRST_SHARE * alpha:
        blocks += 1
    return blocks


@lru_cache(maxsize=256)
def plan_looks(*, alpha: float, max_blocks: int) -> tuple[Look, ...]:
    """Plan the looks of an experiment so that all of them together err with chance `alpha`.

    Raises:
        ConfigError: If `max_blocks` is too few to decide anything at this level.

    Source: K. K. G. Lan, D. L. DeMets, Discrete sequential boundaries for clinical trials,
        Biometrika 70 (1983); the recursion is that of P. Armitage, C. K. McPherson and B. C.
        Rowe, JRSS A 132 (1969).
    """
    first = first_look(alpha)
    if max_blocks < first:
        raise ConfigError(
            field="pairs",
            value=2 * max_blocks,
            problem=f"an error level of {alpha:g} needs at least {2 * first} pairs",
        )
    spaced = (round(max_blocks * part / _LOOKS) for part in range(1, _LOOKS + 1))
    counts = (first, *sorted({count for count in spaced if count > first}))
    times = [count / max_blocks for count in counts]
    levels = _levels(alpha=alpha, times=times)
    return tuple(Look(blocks, level) for blocks, level in zip(counts, levels, strict=True))


def _spent(time: float) -> float:
    """Share of the error level that may be used up to information time `time` (0 to 1)."""
    return FIRST_SHARE + (1.0 - FIRST_SHARE) * time**_LATE_POWER


def _levels(*, alpha: float, times: list[float]) -> list[float]:
    """Nominal one-sided levels whose joint error is `alpha`, by stepwise integration."""
    allowed = [alpha * (_spent(time) if time < 1.0 else 1.0) for time in times]
    levels = [allowed[0]]
    bound = _STANDARD_NORMAL.inv_cdf(1.0 - allowed[0]) * math.sqrt(times[0])
    nodes, weights = _grid(bound, scale=math.sqrt(times[0]))
    density = [
        _normal_density(node, times[0]) * weight
        for node, weight in zip(nodes, weights, strict=True)
    ]
    for place in range(1, len(times)):
        elapsed = times[place] - times[place - 1]
        cost = allowed[place] - allowed[place - 1]
        bound = _bound_for(cost, nodes=nodes, density=density, elapsed=elapsed)
        levels.append(1.0 - _STANDARD_NORMAL.cdf(bound / math.sqrt(times[place])))
        following, weights = _grid(bound, scale=math.sqrt(times[place]))
        density = [
            weight
            * math.fsum(
                mass * _normal_density(node - origin, elapsed)
                for origin, mass in zip(nodes, density, strict=True)
            )
            for node, weight in zip(following, weights, strict=True)
        ]
        nodes = following
    return levels


def _bound_for(cost: float, *, nodes: list[float], density: list[float], elapsed: float) -> float:
    """Find the bound that a continuing path crosses next with probability `cost`."""
    spread = math.sqrt(elapsed)
    low, high = -_REACH, _REACH
    for _ in range(60):
        middle = (low + high) / 2.0
        crossing = math.fsum(
            mass * _STANDARD_NORMAL.cdf((node - middle) / spread)
            for node, mass in zip(nodes, density, strict=True)
        )
        low, high = (middle, high) if crossing > cost else (low, middle)
    return (low + high) / 2.0


def _grid(upper: float, *, scale: float) -> tuple[list[float], list[float]]:
    """Nodes and weights of Simpson's rule from far below up to the bound."""
    lower = -_REACH * scale
    width = (upper - lower) / _NODES
    nodes = [lower + width * place for place in range(_NODES + 1)]
    weights = [
        width / 3.0 * (1 if place in (0, _NODES) else 4 if place % 2 else 2)
        for place in range(_NODES + 1)
    ]
    return nodes, weights


def _normal_density(value: float, variance: float) -> float:
    return math.exp(-value * value / (2.0 * variance)) / math.sqrt(2.0 * math.pi * variance)


def conditional_power(*, z: float, look: Look, last: Look) -> float:
    """Chance that the last look will decide, if the effect is what it looks like now.

    Source: J. M. Lachin, Statistics in Medicine 24 (2005), with the current trend.
    """
    time = look.blocks / last.blocks
    if time >= 1.0:
        return 1.0 if z >= last.z else 0.0
    expected = z * math.sqrt(time) + z / math.sqrt(time) * (1.0 - time)
    return _STANDARD_NORMAL.cdf((expected - last.z) / math.sqrt(1.0 - time))
