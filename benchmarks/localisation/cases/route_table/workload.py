"""A night in the depot."""

from __future__ import annotations

from depot import Depot
from scanner import labels, read


def run() -> object:
    depot, accepted = Depot(), 0
    for label in labels(24_000):
        parcel = read(label)
        if parcel is not None:
            accepted += depot.accept(parcel)
    return (
        accepted,
        depot.duplicates,
        [depot.load(f"{area:02}") for area in range(100)],
        depot.order(),
    )
