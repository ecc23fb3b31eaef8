"""Builds monitor, profiler and detector from `[monitoring]` and `[profiling]`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perfwright.container import checks
from perfwright.container.config import MonitoringSection, ProfilingSection
from perfwright.container.llm import seconds_of
from perfwright.core import ConfigError, Dimension, parse_quantity

if TYPE_CHECKING:
    from perfwright.monitoring import PerformanceMonitor
    from perfwright.monitoring.otlp.addresses import Destination
    from perfwright.profiling import BottleneckDetector, Profiler

ALERTS = "PERFWRIGHT_ALERTS"
"""Environment variable with Apprise URLs, separated by spaces; they hold secrets."""
OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"
SERVICE = "OTEL_SERVICE_NAME"
_SLOW_S, _WINDOW, _MEMORY_BYTES = 1.0, 1_000, 100 * 1024 * 1024


def build_monitor(
    section: MonitoringSection,
    environment: Mapping[str, str],
    *,
    monitor: PerformanceMonitor | None = None,
) -> PerformanceMonitor:
    """Build the monitor; with an exporter where a collector is named.

    Args:
        section: Of the configuration.
        environment: Of the process.
        monitor: Set this one up, in place of a new one.
    """
    from perfwright.monitoring import PerformanceMonitor
    from perfwright.monitoring.set_up import set_up

    checks.at_least_one(section.histogram_window, field="monitoring.histogram_window")
    checks.at_least_one(section.otlp_max_queue, field="monitoring.otlp_max_queue")
    ratio = section.sample_ratio
    if ratio is not None and not 0 <= ratio <= 1:
        raise ConfigError(field="monitoring.sample_ratio", value=ratio, problem="must be 0 to 1")
    collector = _collector(section, environment)
    monitor = monitor if monitor is not None else PerformanceMonitor()
    set_up(
        monitor,
        slow_threshold=_seconds(section.slow_threshold, "slow_threshold"),
        histogram_window=section.histogram_window or _WINDOW,
        sample_ratio=1.0 if ratio is None else ratio,
        resource={"service.name": _service(section, environment)},
    )
    if collector is not None:
        from perfwright.monitoring.export_queue import MAX_QUEUE
        from perfwright.monitoring.otlp import OtlpExporter

        exporter = OtlpExporter(
            collector.base,
            headers=collector.headers,
            max_queue=section.otlp_max_queue or MAX_QUEUE,
            sources=[monitor],
        )
        monitor.add_exporter(exporter)
    return monitor


def _collector(section: MonitoringSection, environment: Mapping[str, str]) -> Destination | None:
    """Return where spans and metrics go, with the headers that the environment has for it."""
    from perfwright.monitoring.otlp.addresses import destination, headers_of
    from perfwright.monitoring.otlp.posting import Poster

    if not (section.otlp_url or environment.get(OTLP, "").strip()):
        needs = "monitoring.otlp_url"
        for name in ("otlp_headers_env", "otlp_max_queue"):
            given, field = getattr(section, name), f"monitoring.{name}"
            checks.only_with(given=given, needed=None, field=field, needs=needs)
        return None
    if section.otlp_url:
        instead = f"name otlp_headers_env, or give the whole URL in {OTLP}"
        checks.http_url(
            section.otlp_url,
            field="monitoring.otlp_url",
            instead=instead,
            example="http://127.0.0.1:4318",
        )
    headers = {}
    if (variable := section.otlp_headers_env) is not None:
        headers = headers_of(environment.get(variable, ""))
        if not headers:
            problem = "is not set, or no headers; export it as Authorization=Bearer%20TOKEN"
            raise ConfigError(field="monitoring.otlp_headers_env", value=variable, problem=problem)
    found = destination(section.otlp_url or None, headers=headers, environment=environment)
    Poster(found.base, headers=found.headers, timeout_s=1.0, compress=True)  # refuses what is none
    return found


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
    if quantity.dimension is not Dimension.SIZE or quantity.value < 1:
        problem = "must be a size of a byte or more, such as 100MiB"
        raise ConfigError(field=field, value=text, problem=problem)
    return int(quantity.value)


def _service(section: MonitoringSection, environment: Mapping[str, str]) -> str:
    """Return how this process calls itself to others."""
    return section.service or environment.get(SERVICE) or _program(sys.argv[:1])


def _program(arguments: Sequence[str]) -> str:
    """Return the name of what runs: of `python -m shop` that of the package, else `python`."""
    path = Path(arguments[0]) if arguments else Path()
    name = path.parent.name if path.stem == "__main__" else path.stem
    return name if name and name not in ("-c", "-m", "-") else "python"
