"""Which endpoint a call goes to."""

from __future__ import annotations

from collections.abc import Sequence

from perfwright.core import ConfigError
from perfwright.llm.endpoints.lane import Lane
from perfwright.llm.endpoints.sizes import Size

Tiers = tuple[tuple[Lane, ...], ...]
"""Endpoints by preference; those of one tier are equals."""


def tiers_of(lanes: Sequence[Lane], model: str) -> Tiers:
    """Return the endpoints that serve a model; neighbours with weights are equals.

    Raises:
        ConfigError: If none does.
    """
    tiers: list[list[Lane]] = []
    for lane in lanes:
        if not lane.endpoint.serves(model):
            continue
        if tiers and lane.endpoint.weight and tiers[-1][-1].endpoint.weight:
            tiers[-1].append(lane)
        else:
            tiers.append([lane])
    if not tiers:
        names = ", ".join(lane.name for lane in lanes)
        problem = f"none of the endpoints {names} serves it; add it to an endpoint's models"
        raise ConfigError(field="model", value=model, problem=problem)
    return tuple(map(tuple, tiers))


def choose(tiers: Tiers, *, size: Size, now_s: float, patience_s: float, last: Lane | None) -> Lane:
    """Return the most preferred endpoint that takes the call soon, of equals the least busy.

    Args:
        tiers: What there is to choose from.
        size: What the call needs, in tokens.
        now_s: The time.
        patience_s: A delay that is not longer is waited for.
        last: Where the call has just failed: an equal is better.
    """
    for tier in tiers:
        open_lanes = [lane for lane in tier if lane.delay_s(size, now_s) <= patience_s]
        if open_lanes:
            return min(open_lanes, key=lambda lane: (lane is last, lane.load))
    every = [lane for tier in tiers for lane in tier]
    return min(every, key=lambda lane: lane.delay_s(size, now_s))
