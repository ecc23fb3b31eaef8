"""Metrics as OTLP's messages, against the real protobuf classes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from perfwright.core import ManualClock
from perfwright.monitoring import Distribution, Metric
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.otlp import decode_metrics, encode_metrics
from perfwright.monitoring.otlp.series import Series
from perfwright.monitoring.otlp.writing import Protocol

HISTOGRAM = Distribution(count=10, total=3.5, buckets={0.1: 2, 1.0: 9})
SUMMARY = Distribution(count=10, total=3.5, quantiles={0.5: 0.2, 0.99: 0.9})
METRICS = [
    Metric(name="hits", kind="counter", value=7, help="Hits.", labels={"tier": "l1"}),
    Metric(name="hits", kind="counter", value=2, help="Hits.", labels={"tier": "l2"}),
    Metric(name="fill", kind="gauge", value=0.25, help="How full.", unit="ratio"),
    Metric(name="latency", kind="histogram", value=HISTOGRAM, help="Time.", unit="seconds"),
    Metric(name="age", kind="summary", value=SUMMARY, help="Age.", unit="seconds"),
]
RESOURCE = {"service.name": "shop"}


def encoded(metrics: list[Metric], protocol: Protocol = "json") -> bytes:
    return encode_metrics(
        metrics,
        resource=RESOURCE,
        now_s=1_790_000_000.0,
        start_s=1_789_999_000.0,
        protocol=protocol,
    )


def received(*metrics: dict[str, Any], service: str = "shop") -> list[Metric]:
    attributes = [{"key": "service.name", "value": {"stringValue": service}}]
    group = {"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": metrics}]}
    decoded = decode_metrics(json.dumps({"resourceMetrics": [group]}).encode())
    assert not decoded.rejected
    return [each.metric for each in decoded.metrics]


def rejected(*metrics: dict[str, Any]) -> dict[str, int]:
    group = {"scopeMetrics": [{"metrics": metrics}]}
    decoded = decode_metrics(json.dumps({"resourceMetrics": [group]}).encode())
    assert decoded.metrics == []
    return dict(decoded.rejected)


def values(metric: Metric) -> Distribution:
    assert isinstance(metric.value, Distribution)
    return metric.value


@pytest.mark.parametrize("protocol", ["json", "protobuf"])
def test_metrics_come_back_as_they_were(protocol: Protocol) -> None:
    decoded = decode_metrics(encoded(METRICS, protocol), protocol=protocol)
    back = [each.metric for each in decoded.metrics]
    assert [metric.name for metric in back] == [f"perfwright_{each.name}" for each in METRICS]
    assert [metric.value for metric in back] == [metric.value for metric in METRICS]
    assert [metric.kind for metric in back] == [metric.kind for metric in METRICS]
    assert back[0].labels == {"service": "shop", "tier": "l1"}
    assert back[3].unit == "seconds"
    assert not any(each.is_delta for each in decoded.metrics)


def test_protobuf_reads_what_is_written() -> None:
    raw = encoded(METRICS, "protobuf")
    hits, fill, latency, age = (
        ExportMetricsServiceRequest.FromString(raw).resource_metrics[0].scope_metrics[0].metrics
    )
    assert [point.as_int for point in hits.sum.data_points] == [7, 2]
    assert hits.sum.is_monotonic
    assert hits.sum.aggregation_temporality == 2
    assert fill.gauge.data_points[0].as_double == 0.25
    assert list(latency.histogram.data_points[0].bucket_counts) == [2, 7, 1]
    assert list(latency.histogram.data_points[0].explicit_bounds) == [0.1, 1.0]
    assert latency.unit == "s"
    assert age.summary.data_points[0].quantile_values[1].value == 0.9


def test_names_become_snake_case_and_milliseconds_seconds() -> None:
    point = {
        "count": "3",
        "sum": 30.0,
        "bucketCounts": ["1", "2", "0"],
        "explicitBounds": [5, 10],
        "attributes": [{"key": "http.route", "value": {"stringValue": "/x"}}],
    }
    histogram = {"dataPoints": [point], "aggregationTemporality": 2}
    (metric,) = received({"name": "http.server.duration", "unit": "ms", "histogram": histogram})
    assert (metric.name, metric.unit) == ("http_server_duration", "seconds")
    assert metric.labels == {"service": "shop", "http_route": "/x"}
    spread = values(metric)
    assert spread.total == pytest.approx(0.03)
    assert spread.buckets == {0.005: 1, 0.01: 3}


def test_an_exponential_histogram_gets_bounds() -> None:
    point = {
        "count": 10,
        "sum": 20,
        "scale": 0,
        "zeroCount": 1,
        "positive": {"offset": 1, "bucketCounts": ["2", "3"]},
        "negative": {"offset": 0, "bucketCounts": [3, 1]},
    }
    (metric,) = received({"name": "x", "exponentialHistogram": {"dataPoints": [point]}})
    # -4 to -2: 1, -2 to -1: 3, zero: 1, 2 to 4: 2, 4 to 8: 3
    assert values(metric).buckets == {-2.0: 1, -1.0: 4, 0.0: 5, 4.0: 7, 8.0: 10}


def test_a_sum_that_may_shrink_is_a_gauge() -> None:
    points = {"dataPoints": [{"asInt": "3"}]}
    grows, moves = received(
        {"name": "a", "sum": points | {"isMonotonic": True}}, {"name": "b", "sum": points}
    )
    assert (grows.kind, moves.kind) == ("counter", "gauge")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("\u00e9", "u00e9"), ("\u00e9\u00e8 ", "u00e9_u00e8"), ("t\u00e9st", "t_st")],
)
def test_names_of_other_letters_stay_apart(name: str, shown: str) -> None:
    (metric,) = received({"name": name, "gauge": {"dataPoints": [{"asInt": 1}]}})
    assert metric.name == shown


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ({"name": "", "gauge": {"dataPoints": [{"asInt": 1}]}}, "its metric has no name"),
        ({"name": "x", "gauge": {"dataPoints": [{}]}}, "a point has no value"),
        ({"name": "x", "gauge": {"dataPoints": [{"asDouble": "much"}]}}, "a double is no number"),
        (
            {"name": "x", "histogram": {"dataPoints": [{"bucketCounts": [1, 2]}]}},
            "a histogram's bounds do not ascend, or do not fit its counts",
        ),
        (
            {
                "name": "x",
                "histogram": {"dataPoints": [{"bucketCounts": [-1, 2], "explicitBounds": [1]}]},
            },
            "a histogram has a negative count",
        ),
        (
            {"name": "x", "exponentialHistogram": {"dataPoints": [{"scale": 99}]}},
            "an exponential histogram's scale is not -10 to 20",
        ),
        (
            {"name": "x", "histogram": {"dataPoints": [{"bucketCounts": [1] * 5_000}]}},
            "a histogram has more than 4096 buckets",
        ),
    ],
)
def test_a_point_that_says_nothing_usable_is_rejected(metric: dict[str, Any], reason: str) -> None:
    assert rejected(metric) == {reason: 1}


def test_bounds_beyond_all_numbers_are_rejected() -> None:
    positive = {"offset": 2_000_000_000, "bucketCounts": [1]}
    point = {"scale": 0, "positive": positive}
    ((reason, count),) = rejected(
        {"name": "x", "exponentialHistogram": {"dataPoints": [point]}}
    ).items()
    assert count == 1
    assert reason


def test_differences_are_added_up() -> None:
    series = Series(10)
    group = {"dataPoints": [{"asInt": "3"}], "aggregationTemporality": 1, "isMonotonic": True}
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "x", "sum": group}]}]}]}
    for point in decode_metrics(json.dumps(body).encode()).metrics * 2:
        assert series.add(point)
    (metric,) = series.metrics()
    assert metric.value == 6


def test_differences_of_histograms_are_added_up() -> None:
    series = Series(10)
    for bounds, counts in (([1, 2], [1, 1, 1]), ([1, 3], [2, 0, 0])):
        point = {"count": 3, "sum": 4.0, "bucketCounts": counts, "explicitBounds": bounds}
        group = {"dataPoints": [point], "aggregationTemporality": 1}
        metrics = [{"name": "x", "histogram": group}]
        body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}
        (decoded,) = decode_metrics(json.dumps(body).encode()).metrics
        assert series.add(decoded)
    (metric,) = series.metrics()
    assert values(metric).buckets == {1.0: 3, 2.0: 4, 3.0: 4}
    assert values(metric).count == 6


def test_series_are_bounded() -> None:
    series = Series(2)
    points = [
        {"asInt": n, "attributes": [{"key": "n", "value": {"intValue": n}}]} for n in range(5)
    ]
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "x", "gauge": {"dataPoints": points}}
    ]}]}]}  # fmt: skip
    taken = [series.add(point) for point in decode_metrics(json.dumps(body).encode()).metrics]
    assert taken == [True, True, False, False, False]
    assert (len(series), series.dropped) == (2, 3)


def test_a_number_that_is_none_can_be_sent() -> None:
    gauge = Metric(name="x", kind="gauge", value=math.nan, help="X.")
    (point,) = decode_metrics(encoded([gauge])).metrics
    assert isinstance(point.metric.value, float)
    assert math.isnan(point.metric.value)


@pytest.mark.parametrize("protocol", ["json", "protobuf"])
def test_latencies_are_sent_as_an_exponential_histogram(protocol: Protocol) -> None:
    monitor = PerformanceMonitor(clock=ManualClock())
    for milliseconds in range(1, 1_001):
        monitor.record("load", milliseconds / 1_000)
    raw = encoded(list(monitor.metrics()), protocol)
    by_name = {
        each.metric.name: each.metric for each in decode_metrics(raw, protocol=protocol).metrics
    }
    spread = values(by_name["perfwright_operation_duration"])
    assert spread.count == 1_000
    median_s = next(bound for bound, at_most in spread.buckets.items() if at_most >= 500)
    assert median_s == pytest.approx(0.5, rel=0.02)


def test_wide_histograms_take_the_room_of_many_series() -> None:
    series = Series(4)
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": f"x{n}", "histogram": {"dataPoints": [
            {"bucketCounts": [1] * 151, "explicitBounds": [*range(150)]}
        ]}} for n in range(3)
    ]}]}]}  # fmt: skip
    points = decode_metrics(json.dumps(body).encode()).metrics
    assert [series.add(point) for point in points * 2] == [True, True, False] * 2


def attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def labels_of(*pairs: tuple[str, str], form: str = "gauge") -> dict[str, str]:
    point = {"asDouble": 1, "count": 1, "sum": 1, "attributes": [attribute(*p) for p in pairs]}
    (metric,) = received({"name": "x", form: {"dataPoints": [point]}})
    return dict(metric.labels)


def test_an_attribute_cannot_pass_for_the_service() -> None:
    assert labels_of(("service", "bank")) == {"service": "shop", "exported_service": "bank"}


@pytest.mark.parametrize(
    ("key", "label"),
    [("1b", "key_1b"), ("a b", "a_b"), ("é", "_"), ("__x", "_x"), ("_x", "_x")],
)
def test_attributes_become_labels_that_prometheus_takes(key: str, label: str) -> None:
    assert labels_of((key, "v")) == {"service": "shop", label: "v"}


def test_attributes_that_become_one_label_keep_both_values() -> None:
    assert labels_of(("a.b", "1"), ("a_b", "2")) == {"service": "shop", "a_b": "1;2"}
