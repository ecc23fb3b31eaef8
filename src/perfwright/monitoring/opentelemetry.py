"""Metrics for OpenTelemetry, read when its SDK collects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from perfwright.core import MissingExtraError
from perfwright.monitoring._sources import PREFIX, Sources
from perfwright.monitoring.metrics import Distribution, Measured, Metric

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation

_UNITS = {"": "1", "seconds": "s", "bytes": "By", "ratio": "1"}
_bridges: WeakKeyDictionary[Meter, _Bridge] = WeakKeyDictionary()


def export_opentelemetry(
    source: Measured, *, meter: Meter | None = None, labels: Mapping[str, str] | None = None
) -> Callable[[], None]:
    """Show the metrics of `source` through an OpenTelemetry meter.

    OpenTelemetry has no observed summary or histogram, so a distribution becomes the counters
    `NAME_count` and `NAME_sum`, and the gauge `NAME_quantile` or the counter `NAME_bucket`.

    Args:
        source: Read at each collection. Names that it yields now are exported; later ones are not.
        meter: Where they appear; by default a meter of the global provider.
        labels: Added to each metric. Give each of several sources of one kind its own.

    Returns:
        What ends the export of this source.

    Raises:
        MissingExtraError: If opentelemetry-api is not installed.
    """
    meter = meter if meter is not None else _default_meter()
    bridge = _bridges.get(meter)
    if bridge is None:
        bridge = _bridges[meter] = _Bridge()
    remove = bridge.sources.add(source, labels=labels or {})
    bridge.make_instruments(meter)
    return remove


@cache  # a second meter of the same name would silently drop the callbacks of one of the two
def _default_meter() -> Meter:
    try:
        from opentelemetry.metrics import get_meter
    except ImportError as error:
        raise MissingExtraError(feature="export_opentelemetry", extra="metrics") from error
    return get_meter("perfwright")


class _Bridge:
    """One for each meter, because a meter keeps the callback of the first instrument of a name."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self.sources = Sources()

    def make_instruments(self, meter: Meter) -> None:
        """Make an instrument for every name that has none yet."""
        for metric in self.sources.metrics():
            for point in _flat(metric):
                if point.name not in self._known:
                    self._known.add(point.name)
                    self._make(point, meter)

    def _make(self, point: Metric, meter: Meter) -> None:
        counts = point.kind == "counter"
        create = meter.create_observable_counter if counts else meter.create_observable_gauge
        create(
            PREFIX + point.name,
            callbacks=[partial(self._observe, point.name)],
            unit=_UNITS[point.unit],
            description=point.help,
        )

    def _observe(self, name: str, _: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        for metric in self.sources.metrics():
            if name.startswith(metric.name):
                for point in _flat(metric):
                    if point.name == name and not isinstance(point.value, Distribution):
                        yield Observation(point.value, dict(point.labels))


def _flat(metric: Metric) -> Iterator[Metric]:
    """Yield the counters and gauges that say the same as `metric`."""
    spread = metric.value
    if not isinstance(spread, Distribution):
        yield metric
        return

    def part(suffix: str, value: float, **more: str) -> Metric:
        return Metric(
            name=f"{metric.name}_{suffix}",
            kind="gauge" if suffix == "quantile" else "counter",
            value=value,
            help=metric.help,
            unit=metric.unit if suffix in ("sum", "quantile") else "",
            labels={**metric.labels, **more},
        )

    yield part("count", spread.count)
    yield part("sum", spread.total)
    for quantile, value in spread.quantiles.items():
        yield part("quantile", value, quantile=str(quantile))
    for bound, count in spread.buckets.items():
        yield part("bucket", count, le=str(bound))
