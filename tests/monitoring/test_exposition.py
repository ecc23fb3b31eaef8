"""The text that Prometheus reads is what its own client writes."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from perfwright.monitoring import Distribution, Metric, export_prometheus, prometheus_text

SPREAD = Distribution(count=7, total=1.5, quantiles={0.5: 0.1, 0.99: 0.9}, buckets={0.1: 3, 1.0: 6})


class Measured:
    def __init__(self, *metrics: Metric) -> None:
        self._metrics = metrics

    def metrics(self) -> Iterable[Metric]:
        return self._metrics


def client_text(*metrics: Metric) -> str:
    registry = CollectorRegistry()
    export_prometheus(Measured(*metrics), registry=registry)
    return generate_latest(registry).decode()


@pytest.mark.parametrize(
    "metric",
    [
        Metric(name="calls", kind="counter", value=3, help="Calls."),
        Metric(
            name="calls", kind="counter", value=1e20, help="Calls.", labels={"b": "2", "a": "1"}
        ),
        Metric(name="wait", kind="counter", value=0.25, help="Waits.", unit="seconds"),
        Metric(name="size", kind="gauge", value=float("inf"), help="Bytes.", unit="bytes"),
        Metric(name="hits", kind="gauge", value=float("nan"), help="Hits.", unit="ratio"),
        Metric(name="odd", kind="gauge", value=1, help="A\nb\\c.", labels={"x": 'q"\\\n'}),
        Metric(name="time", kind="summary", value=SPREAD, help="T.", unit="seconds"),
        Metric(name="time", kind="histogram", value=SPREAD, help="T.", labels={"zone": "a"}),
    ],
)
def test_a_metric_is_written_as_prometheus_own_client_writes_it(metric: Metric) -> None:
    ours, theirs = (
        [(f.name, f.type, f.documentation, [str(s) for s in f.samples]) for f in parsed]
        for parsed in map(
            text_string_to_metric_families, (prometheus_text([metric]), client_text(metric))
        )
    )
    assert ours == theirs


def test_metrics_of_one_name_stand_together() -> None:
    def named(name: str, **labels: str) -> Metric:
        return Metric(name=name, kind="gauge", value=1, help="X.", labels=labels)

    text = prometheus_text([named("a", x="1"), named("b"), named("a", x="2")])
    assert text.count("# TYPE perfwright_a gauge") == 1
    assert text.index('a{x="2"}') < text.index("perfwright_b 1.0")


def test_nothing_measured_is_an_empty_page() -> None:
    assert prometheus_text([]) == ""
