"""The tiles that there are."""

from __future__ import annotations

import statistics
from typing import Any

from board import Scope, tile


def summary(values: list[float]) -> dict[str, Any]:
    ordered = sorted(values)
    return {
        "mean": round(statistics.fmean(ordered), 2),
        "median": round(ordered[len(ordered) // 2], 2),
        "worst": round(ordered[-1], 2),
        "spread": round(statistics.pstdev(ordered), 2),
    }


def plain(key: str, *roles: str) -> None:
    @tile(key, *roles)
    async def load(scope: Scope) -> dict[str, Any]:
        return summary(await scope.store.series(key, scope.minute))


for name in ("latency", "errors", "saturation", "traffic", "queue", "retries"):
    plain(name, "operator", "manager")
for name in ("replication", "compaction", "evictions"):
    plain(name, "operator")
for name in ("turnover", "baskets"):
    plain(name, "manager")


@tile("weather", "operator", "manager")
async def weather(scope: Scope) -> dict[str, Any]:
    heat = await scope.store.series("heat", scope.minute)
    return {"degrees": round(max(heat) / 3, 1), "alarm": sum(heat) > 30_000}


@tile("budget", "manager", "operator")
async def budget(scope: Scope) -> dict[str, Any]:
    errors = await scope.store.series("errors", scope.minute)
    return {"left": round(100 - sum(value > 90 for value in errors) / 6, 1)}
