"""What batches of each size have cost lately."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from statistics import median_low

STEPS_PER_DOUBLING = 8
"""Above this size neighbours share a cell, which is 6 to 12 % wide."""
MEMORY = 9
"""Batches that a cell remembers: after five of another cost its median is the new one."""
_WELL_KNOWN = 3
"""Batches from which a cell is believed enough to call the next one surprising."""
_NOISE_MEMORY = 32
_LEAST_NOISE, _FIRST_NOISE, _MOST_NOISE = 0.02, 0.05, 0.6
_LEAST_DOUBT = 0.1
"""Nobody knows a cost to better than this from one batch, however steady it seemed so far."""
_REACH = 8.0
"""Cells to either side that are averaged, for a noise of 1."""
_MOST_REACH = 5


def cell_of(size: int) -> int:
    """Return the index of the cell that holds `size`, from 1."""
    if size <= STEPS_PER_DOUBLING:
        return size
    doublings = (size - 1).bit_length() - 4
    return STEPS_PER_DOUBLING * doublings + -(-size // (1 << doublings))


def largest_in(cell: int) -> int:
    """Return the largest size of a cell."""
    if cell <= 2 * STEPS_PER_DOUBLING:
        return cell
    doublings = (cell - 1) // STEPS_PER_DOUBLING - 1
    return (cell - STEPS_PER_DOUBLING * doublings) << doublings


class _Cell:
    """The recent batches of a few neighbouring sizes."""

    __slots__ = ("_each_s", "_size")

    def __init__(self) -> None:
        self._size = 0.0
        self._each_s: deque[float] = deque(maxlen=MEMORY)

    def __len__(self) -> int:
        return len(self._each_s)

    def add(self, size: int, *, cost_s: float) -> None:
        self._each_s.append(cost_s / size)
        self._size += (size - self._size) / len(self)

    @property
    def each_s(self) -> float:
        """Median cost of an item: a stall in one batch of several does not count."""
        return median_low(self._each_s)

    @property
    def cost_s(self) -> float:
        return self.each_s * self._size


@dataclass(frozen=True, slots=True)
class Point:
    """What is known of one cell."""

    cell: int
    cost_s: float
    """Of a batch."""
    items_per_s: float
    """Averaged over neighbouring cells where costs are noisy."""
    doubt: float
    """Typical relative error of `items_per_s`."""

    @property
    def size(self) -> int:
        """The largest size of the cell."""
        return largest_in(self.cell)


class CostCurve:
    """Cost by size as a table, without any assumption about its shape: a line would miss a knee.

    Noise is learned as well. Where batches of one size cost much the same, each cell speaks for
    itself; otherwise neighbours are averaged.
    """

    def __init__(self) -> None:
        self._cells: dict[int, _Cell] = {}
        self._variance = _FIRST_NOISE**2

    @property
    def noise(self) -> float:
        """Typical relative deviation of a batch from its cell, 0.02 to 0.6."""
        return math.sqrt(self._variance)

    def add(self, size: int, *, cost_s: float) -> float | None:
        """Take in a batch; return by how many typical deviations it was dearer than expected.

        None while too little is known of its size.
        """
        cell = self._cells.setdefault(cell_of(size), _Cell())
        surprise = None
        if len(cell) >= _WELL_KNOWN:
            deviation = math.log(cost_s / size / cell.each_s)
            surprise = deviation / max(self.noise, _LEAST_DOUBT)
            self._learn_noise(deviation)
        cell.add(size, cost_s=cost_s)
        return surprise

    def _learn_noise(self, deviation: float) -> None:
        square = min(deviation * deviation, 9.0 * self._variance)  # a stall is not noise
        variance = self._variance + (square - self._variance) / _NOISE_MEMORY
        self._variance = min(max(variance, _LEAST_NOISE**2), _MOST_NOISE**2)

    def forget(self) -> None:
        """Drop all costs; the noise is still believed."""
        self._cells.clear()

    def points(self) -> list[Point]:
        """Return what is known, by ascending size."""
        cells = sorted(self._cells.items())
        reach = min(round(_REACH * self.noise), _MOST_REACH)
        logs = [(index, len(cell), -math.log(cell.each_s)) for index, cell in cells]
        doubt = max(self.noise, _LEAST_DOUBT)
        found = []
        for position, (index, cell) in enumerate(cells):
            mean, weight = _mean_around(position, logs, reach=reach)
            found.append(Point(index, cell.cost_s, math.exp(mean), doubt / math.sqrt(weight)))
        return found


def _mean_around(
    position: int, logs: list[tuple[int, int, float]], *, reach: int
) -> tuple[float, float]:
    """Return the mean of a cell and its neighbours, the nearer the heavier, and their weight."""
    at = logs[position][0]
    total = weight = 0.0
    for cell, batches, value in logs[max(0, position - reach) : position + reach + 1]:
        share = batches * max(0.0, 1.0 - abs(cell - at) / (reach + 1))
        total += share * value
        weight += share
    return total / weight, weight
