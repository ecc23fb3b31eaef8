"""What the library's parts count, and where to show it."""

from perfwright.monitoring.exposition import prometheus_text
from perfwright.monitoring.metrics import Distribution, Kind, Measured, Metric
from perfwright.monitoring.opentelemetry import export_opentelemetry
from perfwright.monitoring.prometheus import export_prometheus

__all__ = [
    "Distribution",
    "Kind",
    "Measured",
    "Metric",
    "export_opentelemetry",
    "export_prometheus",
    "prometheus_text",
]
