"""What happens to readings on their way to the archive: one generator for each stage."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial


@dataclass(frozen=True, slots=True)
class Reading:
    minute: int
    level: float
    flag: str = ""


Stage = Callable[[Iterable[Reading]], Iterator[Reading]]


def plausible(readings: Iterable[Reading], *, low: float, high: float) -> Iterator[Reading]:
    for reading in readings:
        yield reading if low < reading.level < high else replace(reading, flag="range")


def despike(readings: Iterable[Reading], *, window: int, tolerance: float) -> Iterator[Reading]:
    recent: deque[float] = deque(maxlen=window)
    for reading in readings:
        recent.append(reading.level)
        middle = statistics.median(recent)
        if abs(reading.level - middle) > tolerance:
            yield replace(reading, level=middle, flag="spike")
        else:
            yield reading


def calibrate(
    readings: Iterable[Reading], *, points: list[tuple[float, float]]
) -> Iterator[Reading]:
    for reading in readings:
        below = [point for point in points if point[0] <= reading.level][-1]
        above = next((point for point in points if point[0] > reading.level), below)
        span = above[0] - below[0] or 1.0
        share = (reading.level - below[0]) / span
        yield replace(reading, level=below[1] + share * (above[1] - below[1]))


def hourly(readings: Iterable[Reading]) -> Iterator[Reading]:
    held: list[Reading] = []
    for reading in readings:
        if held and reading.minute // 60 != held[0].minute // 60:
            mean = sum(each.level for each in held) / len(held)
            flags = ",".join(sorted({each.flag for each in held if each.flag}))
            yield Reading(held[0].minute // 60 * 60, round(mean, 4), flags)
            held.clear()
        held.append(reading)


def chain(*stages: Stage) -> Stage:
    def run(readings: Iterable[Reading]) -> Iterator[Reading]:
        for stage in stages:
            readings = stage(readings)
        yield from readings

    return run


def usual() -> Stage:
    points = [(-90.0, -90.4), (-2.0, -1.9), (0.0, 0.0), (1.5, 1.47), (4.0, 3.98), (90.0, 89.0)]
    return chain(
        partial(plausible, low=-4.0, high=6.0),
        partial(despike, window=721, tolerance=1.1),
        partial(calibrate, points=points),
        hourly,
    )
