"""Sources that share one registry: two caches count under one name, told apart by labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from perfwright.monitoring.metrics import Measured, Metric

PREFIX = "perfwright_"
"""Begins every exported name."""


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    measured: Measured
    labels: Mapping[str, str]


class Sources:
    """A list that exports read while programs add to it and take from it."""

    def __init__(self) -> None:
        self._sources: tuple[_Source, ...] = ()

    def add(self, measured: Measured, *, labels: Mapping[str, str]) -> Callable[[], None]:
        """Read `measured` from now on; returns what ends that."""
        added = _Source(measured, labels)
        self._sources = (*self._sources, added)

        def remove() -> None:
            self._sources = tuple(source for source in self._sources if source is not added)

        return remove

    def metrics(self) -> Iterator[Metric]:
        """Yield the present metrics of all sources, with the labels of each."""
        for source in self._sources:
            for metric in source.measured.metrics():
                yield replace(metric, labels={**source.labels, **metric.labels})
