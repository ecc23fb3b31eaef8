"""The messages of OTLP as its JSON form has them, under the names that protobuf's classes use.

So one reader serves both forms: it only gets attributes. Of each message the fields are listed that
somebody reads; others are ignored, as the specification asks. Every field may be missing or null.

Source: opentelemetry-proto 1.10, and "JSON Protobuf Encoding" of the OTLP specification.
"""

from __future__ import annotations

import msgspec

Int64 = int | str | None
"""Written as a decimal string, as JSON's numbers lose digits above 2**53."""
Double = float | str | None
"""A string for `NaN`, `Infinity` and `-Infinity`."""


class _Message(msgspec.Struct, rename="camel", gc=False):
    pass


class AnyValue(_Message):
    """One of these is set, or none of them."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Int64 = None
    double_value: Double = None
    array_value: ArrayValue | None = None
    kvlist_value: KeyValueList | None = None
    bytes_value: str | None = None
    """In base64."""

    def WhichOneof(self, _: str) -> str | None:  # noqa: N802 - protobuf's name
        """Return the name of the field that is set."""
        for name in self.__struct_fields__:
            if getattr(self, name) is not None:
                return name
        return None


class KeyValue(_Message):
    """An attribute."""

    key: str | None = None
    value: AnyValue | None = None


class ArrayValue(_Message):
    """A list of values."""

    values: list[AnyValue] | None = None


class KeyValueList(_Message):
    """A mapping."""

    values: list[KeyValue] | None = None


class Resource(_Message):
    """What sent it."""

    attributes: list[KeyValue] | None = None


class Event(_Message):
    """A log of a span."""

    time_unix_nano: Int64 = None
    name: str | None = None
    attributes: list[KeyValue] | None = None


class Status(_Message):
    """How a span ended."""

    message: str | None = None
    code: int | str | None = None


class Span(_Message):
    """A span."""

    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    name: str | None = None
    kind: int | str | None = None
    start_time_unix_nano: Int64 = None
    end_time_unix_nano: Int64 = None
    attributes: list[KeyValue] | None = None
    events: list[Event] | None = None
    status: Status | None = None


class ScopeSpans(_Message):
    """Spans of one instrumentation library."""

    spans: list[Span] | None = None


class ResourceSpans(_Message):
    """Spans of one process."""

    resource: Resource | None = None
    scope_spans: list[ScopeSpans] | None = None


class TraceRequest(_Message):
    """ExportTraceServiceRequest."""

    resource_spans: list[ResourceSpans] | None = None


class NumberPoint(_Message):
    """A number at a moment."""

    attributes: list[KeyValue] | None = None
    as_double: Double = None
    as_int: Int64 = None

    def WhichOneof(self, _: str) -> str | None:  # noqa: N802 - protobuf's name
        """Return the name of the field that is set."""
        if self.as_int is not None:
            return "as_int"
        return None if self.as_double is None else "as_double"


class Quantile(_Message):
    """A value that a share of all observations does not exceed."""

    quantile: Double = None
    value: Double = None


class SummaryPoint(_Message):
    """Quantiles of observations."""

    attributes: list[KeyValue] | None = None
    count: Int64 = None
    sum: Double = None
    quantile_values: list[Quantile] | None = None


class HistogramPoint(_Message):
    """Counts between bounds."""

    attributes: list[KeyValue] | None = None
    count: Int64 = None
    sum: Double = None
    bucket_counts: list[Int64] | None = None
    explicit_bounds: list[Double] | None = None


class Buckets(_Message):
    """Counts of an exponential histogram's one side."""

    offset: int | None = None
    bucket_counts: list[Int64] | None = None


class ExponentialPoint(_Message):
    """Counts between powers of `2 ** 2 ** -scale`."""

    attributes: list[KeyValue] | None = None
    count: Int64 = None
    sum: Double = None
    scale: int | None = None
    zero_count: Int64 = None
    zero_threshold: Double = None
    positive: Buckets | None = None
    negative: Buckets | None = None


class Gauge(_Message):
    """Numbers that go up and down."""

    data_points: list[NumberPoint] | None = None


class Sum(_Message):
    """Numbers that add up."""

    data_points: list[NumberPoint] | None = None
    aggregation_temporality: int | str | None = None
    is_monotonic: bool | None = None


class Summary(_Message):
    """Quantiles."""

    data_points: list[SummaryPoint] | None = None


class Histogram(_Message):
    """Buckets."""

    data_points: list[HistogramPoint] | None = None
    aggregation_temporality: int | str | None = None


class ExponentialHistogram(_Message):
    """Buckets whose bounds grow by one factor."""

    data_points: list[ExponentialPoint] | None = None
    aggregation_temporality: int | str | None = None


class Metric(_Message):
    """A metric with its points."""

    name: str | None = None
    description: str | None = None
    unit: str | None = None
    gauge: Gauge | None = None
    sum: Sum | None = None
    summary: Summary | None = None
    histogram: Histogram | None = None
    exponential_histogram: ExponentialHistogram | None = None

    def WhichOneof(self, _: str) -> str | None:  # noqa: N802 - protobuf's name
        """Return the name of the field that is set."""
        for name in self.__struct_fields__[3:]:
            if getattr(self, name) is not None:
                return name
        return None


class ScopeMetrics(_Message):
    """Metrics of one instrumentation library."""

    metrics: list[Metric] | None = None


class ResourceMetrics(_Message):
    """Metrics of one process."""

    resource: Resource | None = None
    scope_metrics: list[ScopeMetrics] | None = None


class MetricsRequest(_Message):
    """ExportMetricsServiceRequest."""

    resource_metrics: list[ResourceMetrics] | None = None
