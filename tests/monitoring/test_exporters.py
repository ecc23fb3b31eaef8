"""Metrics reach Prometheus and OpenTelemetry under the same names, from several sources at once."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from prometheus_client import CollectorRegistry, generate_latest

from perfwright.core import MissingExtraError
from perfwright.monitoring import Distribution, Metric, export_opentelemetry, export_prometheus


@dataclass
class Source:
    """Says what it is told to."""

    said: list[Metric] = field(default_factory=list)

    def metrics(self) -> Iterable[Metric]:
        return self.said


def hits(value: float, **labels: str) -> Metric:
    return Metric(name="hits", kind="counter", value=value, help="Hits.", labels=labels)


LATENCY = Metric(
    name="latency",
    kind="summary",
    value=Distribution(count=4, total=2.0, quantiles={0.5: 0.25}),
    help="Latency.",
    unit="seconds",
)
SIZES = Metric(
    name="size",
    kind="histogram",
    value=Distribution(count=3, total=60.0, buckets={10.0: 1, 50.0: 3}),
    help="Size.",
    unit="bytes",
)
FILL = Metric(name="fill", kind="gauge", value=0.5, help="Fill.", unit="ratio")


def scraped(registry: CollectorRegistry) -> list[str]:
    text = generate_latest(registry).decode()
    return [line for line in text.splitlines() if not line.startswith("#")]


def observed(reader: InMemoryMetricReader) -> dict[str, list[tuple[float, dict[str, str]]]]:
    data = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        metric.name: [
            (point.value, {key: str(value) for key, value in (point.attributes or {}).items()})
            for point in metric.data.data_points
            if isinstance(point, NumberDataPoint)
        ]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


@pytest.mark.parametrize(
    ("metric", "lines"),
    [
        (hits(3, tier="l1"), ['perfwright_hits_total{tier="l1"} 3.0']),
        (FILL, ["perfwright_fill_ratio 0.5"]),
        (
            LATENCY,
            [
                'perfwright_latency_seconds{quantile="0.5"} 0.25',
                "perfwright_latency_seconds_count 4.0",
                "perfwright_latency_seconds_sum 2.0",
            ],
        ),
        (
            SIZES,
            [
                'perfwright_size_bytes_bucket{le="10.0"} 1.0',
                'perfwright_size_bytes_bucket{le="50.0"} 3.0',
                'perfwright_size_bytes_bucket{le="+Inf"} 3.0',
                "perfwright_size_bytes_count 3.0",
                "perfwright_size_bytes_sum 60.0",
            ],
        ),
    ],
)
def test_prometheus_shows_each_kind_of_metric(metric: Metric, lines: list[str]) -> None:
    registry = CollectorRegistry()
    export_prometheus(Source([metric]), registry=registry)
    assert scraped(registry) == lines


def test_prometheus_shows_the_value_of_the_moment() -> None:
    registry, source = CollectorRegistry(), Source([hits(1)])
    export_prometheus(source, registry=registry)
    source.said = [hits(2)]
    assert scraped(registry) == ["perfwright_hits_total 2.0"]


def test_two_sources_share_a_prometheus_name() -> None:
    registry = CollectorRegistry(auto_describe=True)  # as the registry of the process
    export_prometheus(Source([hits(1)]), registry=registry, labels={"cache": "a"})
    export_prometheus(Source([hits(2)]), registry=registry, labels={"cache": "b"})
    assert scraped(registry) == [
        'perfwright_hits_total{cache="a"} 1.0',
        'perfwright_hits_total{cache="b"} 2.0',
    ]


def test_an_export_to_prometheus_can_be_ended() -> None:
    registry = CollectorRegistry()
    end = export_prometheus(Source([hits(1)]), registry=registry)
    end()
    assert scraped(registry) == []


def test_opentelemetry_observes_each_kind_of_metric() -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    export_opentelemetry(Source([hits(3, tier="l1"), FILL, LATENCY, SIZES]), meter=meter)
    assert observed(reader) == {
        "perfwright_hits": [(3, {"tier": "l1"})],
        "perfwright_fill": [(0.5, {})],
        "perfwright_latency_count": [(4, {})],
        "perfwright_latency_sum": [(2.0, {})],
        "perfwright_latency_quantile": [(0.25, {"quantile": "0.5"})],
        "perfwright_size_count": [(3, {})],
        "perfwright_size_sum": [(60.0, {})],
        "perfwright_size_bucket": [(1, {"le": "10.0"}), (3, {"le": "50.0"})],
    }


def test_two_sources_share_an_opentelemetry_instrument() -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    export_opentelemetry(Source([hits(1)]), meter=meter, labels={"cache": "a"})
    end = export_opentelemetry(Source([hits(2)]), meter=meter, labels={"cache": "b"})
    assert observed(reader)["perfwright_hits"] == [(1, {"cache": "a"}), (2, {"cache": "b"})]
    end()
    assert observed(reader)["perfwright_hits"] == [(1, {"cache": "a"})]


@pytest.mark.parametrize(
    ("library", "export"),
    [("prometheus_client", export_prometheus), ("opentelemetry.metrics", export_opentelemetry)],
)
def test_a_missing_library_names_the_extra(
    library: str, export: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r"perfwright\[metrics\]"):
        export(Source())


@pytest.mark.parametrize(
    ("kind", "value"), [("counter", Distribution(count=1, total=1.0)), ("summary", 1.0)]
)
def test_a_value_must_fit_the_kind_of_its_metric(kind: str, value: object) -> None:
    with pytest.raises(TypeError, match=kind):
        Metric(name="x", kind=kind, value=value, help="X.")  # type: ignore[arg-type]


def test_opentelemetry_tells_metrics_of_one_name_and_two_kinds_apart() -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    level = Metric(name="hits", kind="gauge", value=7, help="Hits.")
    named_so = replace(level, name="hits_gauge", value=8)
    export_opentelemetry(Source([hits(3), level, named_so]), meter=meter)
    assert observed(reader) == {
        "perfwright_hits": [(3, {})],
        "perfwright_hits_gauge": [(7, {})],
        "perfwright_hits_gauge_gauge": [(8, {})],
    }


def test_opentelemetry_gets_texts_that_can_be_sent() -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    odd = Metric(
        name="1 odd\ud800",
        kind="gauge",
        value=1,
        help="\ud800",
        labels={"operation": "bad\ud800", "k\ud800": "v"},
    )
    export_opentelemetry(Source([odd]), meter=meter)
    assert observed(reader) == {"perfwright_1_odd_": [(1, {"operation": "bad?", "k?": "v"})]}
