"""OpenTelemetry's protocol: spans and metrics from and to services in any language."""

from perfwright.monitoring.otlp.exporter import OtlpExporter
from perfwright.monitoring.otlp.metrics import decode_metrics, encode_metrics
from perfwright.monitoring.otlp.receiver import OtlpReceiver
from perfwright.monitoring.otlp.serving import ServedReceiver
from perfwright.monitoring.otlp.traces import decode_spans, encode_spans

__all__ = [
    "OtlpExporter",
    "OtlpReceiver",
    "ServedReceiver",
    "decode_metrics",
    "decode_spans",
    "encode_metrics",
    "encode_spans",
]
