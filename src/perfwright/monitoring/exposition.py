"""Metrics as the text that Prometheus scrapes, without its client library."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set

from perfwright.monitoring._sources import PREFIX
from perfwright.monitoring.metrics import Distribution, Kind, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]+")
_PARTS = {
    "counter": ("", "_total"),
    "gauge": ("",),
    "summary": ("", "_count", "_sum"),
    "histogram": ("", "_bucket", "_count", "_sum"),
}
"""What the samples of each kind append to the name; OpenMetrics also has a counter's bare name."""
_OWN_LABELS = {"summary": "quantile", "histogram": "le"}


def prometheus_text(metrics: Iterable[Metric]) -> str:
    """Write metrics in Prometheus's text format 0.0.4, under the names of `export_prometheus`.

    Metrics of one name are brought together, in the order in which the names first come.
    """
    families = families_of(metrics, shown=prometheus_name)
    return "".join(line for name, family in families.items() for line in _family(name, family))


def families_of(
    metrics: Iterable[Metric], *, shown: Callable[[Metric], str]
) -> dict[str, list[Metric]]:
    """Bring metrics of one name and kind together, under names that are never taken twice.

    A later kind of a name gets its kind appended, as in `perfwright_calls_gauge`: otherwise one
    name would mean two things, and a reader would refuse both.

    Args:
        metrics: In any order.
        shown: Returns the name wanted for a metric.
    """
    names: dict[tuple[str, Kind], str] = {}
    families: dict[str, list[Metric]] = {}
    taken: set[str] = set()
    for metric in metrics:
        wanted = shown(metric), metric.kind
        name = names.get(wanted)
        if name is None:
            name = names[wanted] = _free(*wanted, taken=taken)
            taken.update(name + part for part in _PARTS[metric.kind])
            families[name] = []
        families[name].append(metric)
    return families


def _free(name: str, kind: Kind, *, taken: Set[str]) -> str:
    while any(name + part in taken for part in _PARTS[kind]):
        name += f"_{kind}"
    return name


def prometheus_name(metric: Metric) -> str:
    """Return the full name of a metric, of characters that Prometheus takes."""
    unit = f"_{metric.unit}" if metric.unit and not metric.name.endswith(metric.unit) else ""
    return _NOT_IN_NAMES.sub("_", f"{PREFIX}{metric.name}{unit}")


def prometheus_labels(metric: Metric) -> dict[str, str]:
    """Return a metric's labels as Prometheus takes them; its own `le` or `quantile` is moved."""
    own = _OWN_LABELS.get(metric.kind)
    return plain_labels(
        (f"exported_{key}" if key == own else key, text) for key, text in metric.labels.items()
    )


def plain_labels(labels: Iterable[tuple[str, object]]) -> dict[str, str]:
    """Return labels whose names are those of Prometheus, and whose texts fit into UTF-8.

    Source: "OTLP Attributes" of OpenTelemetry's "Prometheus and OpenMetrics Compatibility": the
    texts of names that become the same are joined by a semicolon.
    """
    plain: dict[str, str] = {}
    for key, text in sorted(labels):
        name = _NOT_IN_NAMES.sub("_", key)
        name = f"key_{name}" if name[:1].isdigit() else re.sub("^_+", "_", name) or "_"
        plain[name] = f"{plain[name]};{clean(str(text))}" if name in plain else clean(str(text))
    return plain


def clean(text: str) -> str:
    """Return a text that UTF-8 can hold: half of a surrogate pair becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _family(name: str, family: list[Metric]) -> Iterator[str]:
    first = family[0]
    shown = f"{name}_total" if first.kind == "counter" else name
    described = clean(first.help).replace("\\", "\\\\").replace("\n", "\\n")
    yield f"# HELP {shown} {described}\n# TYPE {shown} {first.kind}\n"
    for metric in family:
        match metric.value:
            case Distribution() as spread:
                yield from _distribution(name, spread, metric=metric)
            case number:
                yield _sample(shown, prometheus_labels(metric), value=number)


def _distribution(name: str, spread: Distribution, *, metric: Metric) -> Iterator[str]:
    labels = prometheus_labels(metric)
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
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(float(value))
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
