"""What a gateway counts."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from perfwright.monitoring import Distribution, Metric

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Counts:
    """Requests by route and status, how long they took, and what is under way."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.connections = 0
        self.disconnected = 0
        """Requests whose caller left before its answer."""
        self.slow_connections = 0
        """Connections closed because their caller sent or read too slowly."""
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, list[int]] = {}
        self._totals_s: Counter[str] = Counter()

    def note(self, route: str, *, status: int, seconds: float) -> None:
        """Count a request that has been answered."""
        self._requests[route, status] += 1
        buckets = self._seconds.get(route)
        if buckets is None:
            buckets = self._seconds[route] = [0] * (len(BOUNDS_S) + 1)
        buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self._totals_s[route] += seconds  # type: ignore[assignment]  # a Counter adds floats too

    @property
    def requests(self) -> int:
        """How many were answered."""
        return self._requests.total()

    def describe(self) -> dict[str, Any]:
        """Return the counts for people."""
        by_status: Counter[str] = Counter()
        for (_, status), count in self._requests.items():
            by_status[str(status)] += count
        return {
            "requests": self.requests,
            "by_status": dict(sorted(by_status.items())),
            "in_flight": self.in_flight,
            "connections": self.connections,
            "disconnected": self.disconnected,
            "slow_connections": self.slow_connections,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield the counts for a metrics system."""
        for (route, status), count in self._requests.items():
            yield Metric(
                name="gateway_requests",
                kind="counter",
                value=count,
                help="Requests answered.",
                labels={"route": route, "status": str(status)},
            )
        for route, buckets in self._seconds.items():
            yield Metric(
                name="gateway_request",
                kind="histogram",
                unit="seconds",
                value=_distribution(buckets, total_s=float(self._totals_s[route])),
                help="Time from the end of a request's headers to the end of its answer.",
                labels={"route": route},
            )
        for name, value, text in (
            ("gateway_in_flight", self.in_flight, "Requests that are being answered."),
            ("gateway_connections", self.connections, "Open connections."),
        ):
            yield Metric(name=name, kind="gauge", value=value, help=text)
        for name, value, text in (
            ("gateway_disconnected", self.disconnected, "Callers that left before their answer."),
            (
                "gateway_slow_connections",
                self.slow_connections,
                "Connections given up as too slow.",
            ),
        ):
            yield Metric(name=name, kind="counter", value=value, help=text)


def _distribution(buckets: list[int], *, total_s: float) -> Distribution:
    *below, count = accumulate(buckets)
    return Distribution(count=count, total=total_s, buckets=dict(zip(BOUNDS_S, below, strict=True)))
