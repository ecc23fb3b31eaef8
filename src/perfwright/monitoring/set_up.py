"""Gives a monitor that is in use other settings, as the container does with that of `@trace`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from perfwright.monitoring import checks
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.sampling import HeadSampling
from perfwright.monitoring.tags import plain_tags


def set_up(
    monitor: PerformanceMonitor,
    *,
    slow_threshold: float,
    histogram_window: int,
    sample_ratio: float,
    resource: Mapping[str, Any],
) -> None:
    """Change settings of a monitor; what it has counted stays, and what is open goes on.

    Args:
        monitor: Any thread may be using it.
        slow_threshold: As the constructor's, and so are the others. They hold for what ends from
            now on; `sample_ratio` for traces that begin.
        histogram_window: It holds for the operations that are known already, too.
        sample_ratio: Of new traces.
        resource: Added to what is known of the process.

    Raises:
        ConfigError: If a value is out of its range.
        TypeError: If it is not of its kind.
    """
    slow_s = checks.number(slow_threshold, field="slow_threshold", low=0.0)
    window = checks.whole(histogram_window, field="histogram_window", low=1)
    ratio = checks.number(sample_ratio, field="sample_ratio", low=0.0, high=1.0)
    with monitor._lock:
        monitor._slow_s = monitor._tally.slow_s = slow_s
        monitor._sampling, monitor._keeps_all = HeadSampling(ratio), ratio >= 1.0
        # In place: open spans have this very mapping, and are known by it as this process' own.
        cast("dict[str, Any]", monitor.resource).update(plain_tags(resource))
        monitor._tally.operations.resize(window)
