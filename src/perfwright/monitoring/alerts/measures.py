"""The numbers that rules compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from perfwright.core import ConfigError
from perfwright.monitoring.sketch import Sketch

Measure = Literal[
    "p50", "p90", "p95", "p99", "p99.9", "mean", "max", "error_ratio", "rate", "count"
]
"""Seconds for percentiles, mean and max; 0 to 1 for `error_ratio`; operations per second for
`rate`; operations within the window for `count`."""

_QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
_MEASURES = (*_QUANTILES, "mean", "max", "error_ratio", "rate", "count")


def latency(metric: Measure, sketches: Sequence[Sketch]) -> float:
    """Work out a percentile, the mean or the maximum of all values in `sketches`, in seconds."""
    merged = sketches[0]
    if len(sketches) > 1:
        merged = Sketch()
        for sketch in sketches:
            merged.merge(sketch)
    if metric == "mean":
        return merged.total / merged.count
    return merged.max if metric == "max" else merged.quantile(_QUANTILES[metric])


def require_metric(value: object) -> None:
    """Refuse what is no measure."""
    if value not in _MEASURES:
        problem = f"must be one of {', '.join(_MEASURES)}"
        raise ConfigError(field="metric", value=value, problem=problem)
