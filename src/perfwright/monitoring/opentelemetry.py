"""Metrics for OpenTelemetry, read when its SDK collects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from perfwright.core import MissingExtraError
from perfwright.monitoring._sources import PREFIX, Sources
from perfwright.monitoring.exposition import clean
from perfwright.monitoring.metrics import Distribution, Kind, Measured, Metric

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation

_UNITS = {"": "1", "seconds": "s", "bytes": "By", "ratio": "1"}
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_./-]+")
_MAX_NAME = 255
"""Characters; the SDK refuses longer names, and others than these characters."""
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
        self._known: set[tuple[str, Kind]] = set()
        self._shown: set[str] = set()
        self.sources = Sources()

    def make_instruments(self, meter: Meter) -> None:
        """Make an instrument for every name and kind that has none yet."""
        for metric in self.sources.metrics():
            for point in _flat(metric):
                key = point.name, point.kind
                if key not in self._known:
                    self._known.add(key)
                    self._make(point, meter, name=self._free_name(point))

    def _free_name(self, point: Metric) -> str:
        name = _NOT_IN_NAMES.sub("_", PREFIX + point.name)[:_MAX_NAME]
        while name in self._shown:  # by another kind, or another name of odd characters
            name += f"_{point.kind}"
        self._shown.add(name)
        return name

    def _make(self, point: Metric, meter: Meter, *, name: str) -> None:
        counts = point.kind == "counter"
        create = meter.create_observable_counter if counts else meter.create_observable_gauge
        create(
            name,
            callbacks=[partial(self._observe, (point.name, point.kind))],
            unit=_UNITS[point.unit],
            description=clean(point.help),
        )

    def _observe(self, key: tuple[str, Kind], _: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        for metric in self.sources.metrics():
            if key[0].startswith(metric.name):
                for point in _flat(metric):
                    if (point.name, point.kind) == key and not isinstance(
                        point.value, Distribution
                    ):
                        labels = {
                            clean(name): clean(str(text)) for name, text in point.labels.items()
                        }
                        yield Observation(point.value, labels)


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
