"""Metrics as the text that Prometheus scrapes, without its client library."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from perfwright.monitoring._sources import PREFIX
from perfwright.monitoring.metrics import Distribution, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def prometheus_text(metrics: Iterable[Metric]) -> str:
    """Write metrics in Prometheus's text format 0.0.4, under the names of `export_prometheus`.

    Metrics of one name are brought together, in the order in which the names first come.
    """
    families: dict[str, list[Metric]] = {}
    for metric in metrics:
        families.setdefault(_full_name(metric), []).append(metric)
    return "".join(line for name, family in families.items() for line in _family(name, family))


def _full_name(metric: Metric) -> str:
    unit = f"_{metric.unit}" if metric.unit and not metric.name.endswith(metric.unit) else ""
    return f"{PREFIX}{metric.name}{unit}"


def _family(name: str, family: list[Metric]) -> Iterator[str]:
    first = family[0]
    shown = f"{name}_total" if first.kind == "counter" else name
    described = first.help.replace("\\", "\\\\").replace("\n", "\\n")
    yield f"# HELP {shown} {described}\n# TYPE {shown} {first.kind}\n"
    for metric in family:
        match metric.value:
            case Distribution() as spread:
                yield from _distribution(name, spread, metric=metric)
            case number:
                yield _sample(shown, metric.labels, value=number)


def _distribution(name: str, spread: Distribution, *, metric: Metric) -> Iterator[str]:
    labels = metric.labels
    for quantile, value in spread.quantiles.items():
        yield _sample(name, {**labels, "quantile": str(quantile)}, value=value)
    if metric.kind == "histogram":
        for bound, count in spread.buckets.items():
            yield _sample(f"{name}_bucket", {**labels, "le": str(bound)}, value=count)
        yield _sample(f"{name}_bucket", {**labels, "le": "+Inf"}, value=spread.count)
    yield _sample(f"{name}_count", labels, value=spread.count)
    yield _sample(f"{name}_sum", labels, value=spread.total)


def _sample(name: str, labels: Mapping[str, str], *, value: float) -> str:
    inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in sorted(labels.items()))
    return f"{name}{{{inside}}} {_number(value)}\n" if inside else f"{name} {_number(value)}\n"


def _escaped(text: str) -> str:
    return str(text).replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(float(value))
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
