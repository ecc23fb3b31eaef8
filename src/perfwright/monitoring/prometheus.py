"""Metrics for Prometheus, read when it scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from perfwright.core import MissingExtraError
from perfwright.monitoring._sources import Sources
from perfwright.monitoring.exposition import (
    clean,
    families_of,
    prometheus_labels,
    prometheus_name,
)
from perfwright.monitoring.metrics import Distribution, Measured, Metric

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric as Family

_collectors: WeakKeyDictionary[CollectorRegistry, _Collector] = WeakKeyDictionary()


def export_prometheus(
    source: Measured,
    *,
    registry: CollectorRegistry | None = None,
    labels: Mapping[str, str] | None = None,
) -> Callable[[], None]:
    """Show the metrics of `source` in a Prometheus registry.

    Args:
        source: Read at each scrape, in the scraping thread.
        registry: Where they appear; by default the registry of the process.
        labels: Added to each metric. Give each of several sources of one kind its own.

    Returns:
        What ends the export of this source.

    Raises:
        MissingExtraError: If prometheus-client is not installed.
    """
    try:
        from prometheus_client import REGISTRY
    except ImportError as error:
        raise MissingExtraError(feature="export_prometheus", extra="metrics") from error
    registry = registry if registry is not None else REGISTRY
    collector = _collectors.get(registry)
    if collector is None:
        collector = _collectors[registry] = _Collector()
        registry.register(collector)
    return collector.sources.add(source, labels=labels or {})


class _Collector:
    """One for each registry, because a registry takes each name from one collector only."""

    def __init__(self) -> None:
        self.sources = Sources()

    def describe(self) -> list[Family]:
        """Promise no names: sources come and go."""
        return []

    def collect(self) -> Iterator[Family]:
        """Yield one family for each name."""
        from prometheus_client.metrics_core import Metric as Family

        for name, metrics in families_of(self.sources.metrics(), shown=prometheus_name).items():
            first = metrics[0]
            # A unit that does not end the name would be appended to it once more.
            unit = first.unit if name.endswith(f"_{first.unit}") else ""
            family = Family(name, clean(first.help), first.kind, unit=unit)
            for metric in metrics:
                _add(metric, family)
            yield family


def _add(metric: Metric, family: Family) -> None:
    name, labels = family.name, prometheus_labels(metric)
    match metric.value:
        case Distribution() as spread:
            sample = partial(family.add_sample, name)
            for quantile, value in spread.quantiles.items():
                sample({**labels, "quantile": str(quantile)}, value)
            if metric.kind == "histogram":
                for bound, count in {**spread.buckets, float("inf"): spread.count}.items():
                    label = "+Inf" if bound == float("inf") else str(bound)
                    family.add_sample(f"{name}_bucket", {**labels, "le": label}, count)
            family.add_sample(f"{name}_count", labels, spread.count)
            family.add_sample(f"{name}_sum", labels, spread.total)
        case number:
            suffix = "_total" if metric.kind == "counter" else ""
            family.add_sample(name + suffix, labels, number)
