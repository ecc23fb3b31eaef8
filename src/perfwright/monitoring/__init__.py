"""What a program's operations do, and what the library's parts count.

Alerts are in `perfwright.monitoring.alerts`. Names are fetched on first use, so that a program pays
only for what it touches.
"""

from typing import TYPE_CHECKING

from perfwright import _lazy

if TYPE_CHECKING:
    from perfwright.monitoring.exporters import SpanExporter
    from perfwright.monitoring.exposition import prometheus_text
    from perfwright.monitoring.http_clients import (
        aiohttp_trace_config,
        httpx_async_transport,
        httpx_transport,
        requests_adapter,
    )
    from perfwright.monitoring.http_servers import TracingMiddleware, aiohttp_middleware
    from perfwright.monitoring.latencies import Latencies
    from perfwright.monitoring.metrics import Distribution, Kind, Measured, Metric
    from perfwright.monitoring.metrics_pages import metrics_app
    from perfwright.monitoring.monitor import PerformanceMonitor
    from perfwright.monitoring.opentelemetry import export_opentelemetry
    from perfwright.monitoring.operations import SlowOperation
    from perfwright.monitoring.otlp import OtlpExporter, OtlpReceiver
    from perfwright.monitoring.prometheus import export_prometheus
    from perfwright.monitoring.propagation import extract, inject
    from perfwright.monitoring.sketch import Sketch
    from perfwright.monitoring.spans import Span, SpanContext, SpanKind
    from perfwright.monitoring.store import Trace
    from perfwright.monitoring.tracing import (
        carry,
        get_monitor,
        propagate_threads,
        set_monitor,
        suppressed,
        trace,
    )
    from perfwright.monitoring.waits import CriticalPath, critical_operations, critical_path

__all__ = [
    "CriticalPath",
    "Distribution",
    "Kind",
    "Latencies",
    "Measured",
    "Metric",
    "OtlpExporter",
    "OtlpReceiver",
    "PerformanceMonitor",
    "Sketch",
    "SlowOperation",
    "Span",
    "SpanContext",
    "SpanExporter",
    "SpanKind",
    "Trace",
    "TracingMiddleware",
    "aiohttp_middleware",
    "aiohttp_trace_config",
    "carry",
    "critical_operations",
    "critical_path",
    "export_opentelemetry",
    "export_prometheus",
    "extract",
    "get_monitor",
    "httpx_async_transport",
    "httpx_transport",
    "inject",
    "metrics_app",
    "prometheus_text",
    "propagate_threads",
    "requests_adapter",
    "set_monitor",
    "suppressed",
    "trace",
]

_HOMES = {
    "CriticalPath": "waits",
    "Distribution": "metrics",
    "Kind": "metrics",
    "Latencies": "latencies",
    "Measured": "metrics",
    "Metric": "metrics",
    "OtlpExporter": "otlp",
    "OtlpReceiver": "otlp",
    "PerformanceMonitor": "monitor",
    "Sketch": "sketch",
    "SlowOperation": "operations",
    "Span": "spans",
    "SpanContext": "spans",
    "SpanExporter": "exporters",
    "SpanKind": "spans",
    "Trace": "store",
    "TracingMiddleware": "http_servers",
    "aiohttp_middleware": "http_servers",
    "aiohttp_trace_config": "http_clients",
    "carry": "tracing",
    "critical_operations": "waits",
    "critical_path": "waits",
    "export_opentelemetry": "opentelemetry",
    "export_prometheus": "prometheus",
    "extract": "propagation",
    "get_monitor": "tracing",
    "httpx_async_transport": "http_clients",
    "httpx_transport": "http_clients",
    "inject": "propagation",
    "metrics_app": "metrics_pages",
    "prometheus_text": "exposition",
    "propagate_threads": "tracing",
    "requests_adapter": "http_clients",
    "set_monitor": "tracing",
    "suppressed": "tracing",
    "trace": "tracing",
}

__getattr__ = _lazy.fetch_from(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
