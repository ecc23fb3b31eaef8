"""Builds monitor, profiler and detector from `[monitoring]` and `[profiling]`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from perfwright.container import checks
from perfwright.container.config import MonitoringSection, ProfilingSection
from perfwright.container.llm import seconds_of
from perfwright.core import ConfigError, Dimension, parse_quantity

if TYPE_CHECKING:
    from perfwright.monitoring import PerformanceMonitor
    from perfwright.profiling import BottleneckDetector, Profiler

ALERTS = "PERFWRIGHT_ALERTS"
"""Environment variable with Apprise URLs, separated by spaces; they hold secrets."""
OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"
SERVICE = "OTEL_SERVICE_NAME"
_SLOW_S, _WINDOW, _MEMORY_BYTES = 1.0, 1_000, 100 * 1024 * 1024


def build_monitor(section: MonitoringSection, environment: Mapping[str, str]) -> PerformanceMonitor:
    """Build the monitor; with an exporter where a collector is named."""
    from perfwright.monitoring import PerformanceMonitor

    checks.at_least_one(section.histogram_window, field="monitoring.histogram_window")
    ratio = section.sample_ratio
    if ratio is not None and not 0 <= ratio <= 1:
        raise ConfigError(field="monitoring.sample_ratio", value=ratio, problem="must be 0 to 1")
    monitor = PerformanceMonitor(
        slow_threshold=_seconds(section.slow_threshold, "slow_threshold"),
        histogram_window=section.histogram_window or _WINDOW,
        sample_ratio=1.0 if ratio is None else ratio,
        resource={"service.name": _service(section, environment)},
    )
    if url := section.otlp_url or environment.get(OTLP):
        from perfwright.monitoring.otlp import OtlpExporter

        checks.http_url(url, field="monitoring.otlp_url")
        monitor.add_exporter(OtlpExporter(url, sources=[monitor], resource=monitor.resource))
    return monitor


def build_detector(
    section: MonitoringSection, environment: Mapping[str, str]
) -> BottleneckDetector:
    """Build the detector; its alerts go to the log, or where `PERFWRIGHT_ALERTS` says."""
    from perfwright.profiling import BottleneckDetector

    urls = environment.get(ALERTS, "").split()
    return BottleneckDetector(
        time_threshold=_seconds(section.time_threshold, "time_threshold"),
        memory_threshold=_bytes(section.memory_threshold),
        deliver=urls or None,
    )


def build_profiler(section: ProfilingSection, *, folder: Path) -> Profiler:
    """Build the profiler; paths of own code are from the folder of the configuration."""
    from perfwright.profiling import Profiler

    own = [str(folder / name) if (folder / name).exists() else name for name in section.own]
    return Profiler(
        enable_cpu=section.cpu,
        enable_memory=section.memory,
        enable_async=section.asyncio,
        mode=section.mode,
        rate_hz=section.rate_hz,
        own=own,
    )


def _seconds(text: str | None, name: str) -> float:
    return _SLOW_S if text is None else seconds_of(text, field=f"monitoring.{name}")


def _bytes(text: str | None) -> int:
    if text is None:
        return _MEMORY_BYTES
    field = "monitoring.memory_threshold"
    quantity = parse_quantity(text, what=field)
    if quantity.dimension is not Dimension.SIZE or quantity.value <= 0:
        problem = "must be a size above 0, such as 100MiB"
        raise ConfigError(field=field, value=text, problem=problem)
    return int(quantity.value)


def _service(section: MonitoringSection, environment: Mapping[str, str]) -> str:
    """Return how this process calls itself to others."""
    return section.service or environment.get(SERVICE) or Path(sys.argv[0]).stem or "python"
