"""Goal metrics of a database: latencies of its statements and times of one replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from perfwright.agents.database.engine import DatabaseBench
from perfwright.agents.database.schedule import Item
from perfwright.core import Arm

_ROUNDS = 5
_QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


def measure_levels(bench: DatabaseBench) -> Mapping[str, tuple[float, float]]:
    """Measure both arms in turns; each statement counts with its median time.

    Returns:
        By metric, in seconds for arm A and arm B: `p50`, `p95`, `p99` and `mean` of a
        statement's latency, weighted by calls; `workload_time`, `read_time`, `write_time` of
        one replay.
    """
    taken: dict[Arm, list[list[tuple[Item, float]]]] = {arm: [] for arm in Arm}
    for _ in range(_ROUNDS):
        for arm in Arm:
            taken[arm].append(list(bench.executions(arm)))
    a, b = (_levels(_medians(taken[arm])) for arm in Arm)
    return {metric: (a[metric], b[metric]) for metric in a}


def _medians(rounds: Sequence[Sequence[tuple[Item, float]]]) -> list[tuple[Item, float]]:
    return [
        (executions[0][0], median(seconds for _, seconds in executions))
        for executions in zip(*rounds, strict=True)
    ]


def _levels(executions: Sequence[tuple[Item, float]]) -> dict[str, float]:
    ordered = sorted(executions, key=lambda execution: execution[1])
    calls = sum(item.weight for item, _ in ordered)
    reads = sum(item.weight * seconds for item, seconds in ordered if not item.write)
    writes = sum(item.weight * seconds for item, seconds in ordered if item.write)
    levels = {name: _quantile(ordered, share * calls) for name, share in _QUANTILES.items()}
    return {
        **levels,
        "mean": (reads + writes) / calls,
        "workload_time": reads + writes,
        "read_time": reads,
        "write_time": writes,
    }


def _quantile(ordered: Sequence[tuple[Item, float]], rank: float) -> float:
    """The latency below which `rank` calls lie."""
    passed = 0.0
    for item, seconds in ordered:
        passed += item.weight
        if passed >= rank:
            return seconds
    return ordered[-1][1]
