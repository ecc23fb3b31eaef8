"""The text that Prometheus reads is what its own client writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
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


def parsed(text: str) -> dict[str, float]:
    """Return the samples of a page by name and labels, as another reader than ours sees them."""
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    found = {f"{s.name} {sorted(s.labels.items())}": s.value for s in samples}
    assert len(found) == len(samples), "one series stands there twice"
    return found


def both(*metrics: Metric) -> dict[str, float]:
    """Return the samples of both ways to Prometheus, which must be the same."""
    ours = parsed(prometheus_text(metrics).encode().decode())
    assert ours == parsed(client_text(*metrics))
    return ours


def gauge(name: str = "g", value: float = 1, **given: Any) -> Metric:
    plain: dict[str, Any] = {"name": name, "kind": "gauge", "value": value, "help": "X."}
    return Metric(**(plain | given))


HOSTILE = ["bad\ud800", "a\nb", 'q"', "\\", "\r\x00\x1b", "é", "", "{}=,"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_label_does_not_cost_the_page(text: str) -> None:
    spread = Metric(name="s", kind="histogram", value=SPREAD, help=text, labels={"operation": text})
    found = both(gauge(labels={"operation": text}, help=text), spread, gauge("h", 2))
    assert found["perfwright_h []"] == 2
    assert len(found) == 9


@pytest.mark.parametrize("key", ["1b", "a b", "", "é", "__x", "__name__", "a\ud800", "a\nb", ":"])
def test_a_hostile_name_of_a_label_or_metric_does_not_cost_the_page(key: str) -> None:
    found = both(gauge(labels={key: "v"}), gauge(key, 3), gauge("h", 2))
    assert found["perfwright_h []"] == 2
    assert sorted(found.values()) == [1, 2, 3]


def test_labels_that_become_one_keep_both_values() -> None:
    found = both(gauge(labels={"a.b": "1", "a_b": "2"}))
    assert found == {"perfwright_g [('a_b', '1;2')]": 1}


@pytest.mark.parametrize("kind", ["histogram", "summary"])
def test_a_label_cannot_pass_for_a_bound_or_a_quantile(kind: Any) -> None:
    own = {"le": "1.0", "quantile": "0.5"}
    metric = Metric(name="s", kind=kind, value=SPREAD, help="S.", labels=own)
    other = replace(metric, labels={"le": "2.0", "quantile": "0.5"})
    assert len(both(metric, other)) == 2 * len(both(metric))


KINDS: list[tuple[str, Any, Any]] = [
    ("x", "counter", 1),
    ("x", "gauge", 2),
    ("x", "histogram", SPREAD),
    ("x", "summary", SPREAD),
    ("x_total", "gauge", 3),
    ("x_count", "gauge", 4),
    ("x_gauge", "gauge", 5),
    ("x_bucket", "counter", 6),
]


@given(st.permutations(KINDS))
def test_metrics_of_one_name_and_several_kinds_are_told_apart(
    kinds: list[tuple[str, Any, Any]],
) -> None:
    metrics = [Metric(name=name, kind=kind, value=value, help="X.") for name, kind, value in kinds]
    found = both(*metrics)
    assert len(found) == 17  # 6 numbers, 4 of the summary, 7 of the histogram
    assert {1, 2, 3, 4, 5, 6} <= {*found.values()}


def test_a_counter_keeps_its_name_when_a_gauge_of_that_name_comes_later() -> None:
    counter = Metric(name="reqs", kind="counter", value=5, help="R.", labels={"service": "bill"})
    found = both(counter, gauge("reqs", 1, labels={"service": "bill"}))
    assert found == {
        "perfwright_reqs_total [('service', 'bill')]": 5,
        "perfwright_reqs_gauge [('service', 'bill')]": 1,
    }


def test_nothing_measured_is_an_empty_page() -> None:
    assert prometheus_text([]) == ""
