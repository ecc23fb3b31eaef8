"""What the endpoints have done, as statistics and as metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from perfwright.llm.endpoints.lane import Lane
from perfwright.llm.endpoints.shared import Shared
from perfwright.monitoring import Distribution, Metric


def pool_stats(lanes: Sequence[Lane], shared: Shared, *, now_s: float) -> dict[str, Any]:
    """Return totals, and each endpoint's breaker and limits by its name."""
    return {
        "attempts": sum(lane.attempts for lane in lanes),
        "retries": shared.retries,
        "hedges": shared.hedges,
        "hedges_won": shared.hedges_won,
        "rate_limited": sum(lane.limited for lane in lanes),
        "moved": sum(lane.moved for lane in lanes),
        "limit_waits": sum(lane.limit_waits for lane in lanes),
        "limit_wait_time": sum(lane.limit_wait_s for lane in lanes),
        "circuit_breakers": {lane.name: _breaker(lane, now_s) for lane in lanes},
        "endpoints": {lane.name: _endpoint(lane, now_s) for lane in lanes},
    }


def pool_metrics(lanes: Sequence[Lane], shared: Shared, *, now_s: float) -> Iterator[Metric]:
    """Yield the totals, and what each endpoint is like."""
    for name, value, help_text in (
        ("retries", shared.retries, "Further attempts after errors that may pass."),
        ("hedges", shared.hedges, "Second requests for calls whose first one was late."),
        ("hedges_won", shared.hedges_won, "Second requests that answered first."),
    ):
        yield Metric(name=f"llm_{name}", kind="counter", value=value, help=help_text)
    for lane in lanes:
        yield from _of_lane(lane, now_s)
        yield from lane.breaker.metrics()
        if lane.shared is not None:
            yield from lane.shared.metrics()


def _of_lane(lane: Lane, now_s: float) -> Iterator[Metric]:
    labels = {"endpoint": lane.name}
    for name, value, help_text in (
        ("attempts", lane.attempts, "Requests sent."),
        ("rate_limited", lane.limited, "Requests refused with 429."),
        ("moved", lane.moved, "Calls that stopped waiting here and chose anew."),
    ):
        yield Metric(name=f"llm_{name}", kind="counter", value=value, help=help_text, labels=labels)
    for name, level, help_text in (
        ("waiting", lane.waiting, "Calls that wait for limits."),
        ("in_flight", lane.allowance.gate.in_flight, "Requests under way."),
    ):
        yield Metric(name=f"llm_{name}", kind="gauge", value=level, help=help_text, labels=labels)
    yield Metric(
        name="llm_limit_wait",
        kind="summary",
        value=Distribution(count=lane.limit_waits, total=lane.limit_wait_s),
        help="Time that calls have waited for limits, without those that did not have to.",
        unit="seconds",
        labels=labels,
    )
    for name, rate in lane.allowance.stats(now_s).items():
        if name.endswith("_per_s") and rate is not None:
            yield Metric(
                name=f"llm_limit_{name.removesuffix('_per_s')}",
                kind="gauge",
                value=rate,
                help="What is spent at most, per second.",
                labels=labels,
            )


def _breaker(lane: Lane, now_s: float) -> dict[str, Any]:
    snapshot = lane.breaker.snapshot(now_s)
    return {
        "state": snapshot.state.value,
        "failures": snapshot.failures,
        "times_opened": snapshot.times_opened,
        "retry_after": snapshot.retry_after_s,
    }


def _endpoint(lane: Lane, now_s: float) -> dict[str, Any]:
    return {
        "attempts": lane.attempts,
        "rate_limited": lane.limited,
        "in_flight": lane.allowance.gate.in_flight,
        "waiting": lane.waiting,
        "limits": lane.allowance.stats(now_s),
    }
