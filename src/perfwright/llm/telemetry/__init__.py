"""Where traces of calls go: OpenTelemetry, a log of the traffic, the slowest and the failed."""

from perfwright.llm.telemetry.metrics import GenAIMetrics
from perfwright.llm.telemetry.monitor import MonitorSink
from perfwright.llm.telemetry.spans import GenAISpans
from perfwright.llm.telemetry.trace_log import TraceLog
from perfwright.llm.telemetry.traffic_log import TrafficLog
from perfwright.llm.telemetry.waterfall import waterfall

__all__ = ["GenAIMetrics", "GenAISpans", "MonitorSink", "TraceLog", "TrafficLog", "waterfall"]
