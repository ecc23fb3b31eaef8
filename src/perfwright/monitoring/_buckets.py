"""The buckets of a sketch: where a value belongs, and what a bucket stands for."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import pack
from typing import Final

BUCKET_ERROR: Final = 1.0 / 257.0
"""Half the width of a bucket against its middle, where that is most: 0.39 %."""

LARGEST: Final = (2.0 - 2.0**-23) * 2.0**127
"""What a bucket can hold at most, 3.4e38; positive values below 1.2e-38 count as zero."""

FIRST_KEY: Final = 0x0080
"""Of the smallest normal 32-bit number."""

LAST_KEY: Final = 0x7F7F
"""Above are infinity, what is not a number, and all that is negative."""

MINUS_ZERO: Final = 0x8000
"""What lies between zero and the least negative 32-bit number."""

_TOP_HALVES = slice(1 if sys.byteorder == "little" else 0, None, 2)
_FINEST_SCALE = 20  # of OpenTelemetry's exponential histograms
_COARSEST_SCALE = -10
_SMALLEST = 2.0**-126


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential:
    """A base-2 exponential histogram, as OpenTelemetry defines it, of values that are not negative.

    `counts[i]` values are above `base ** (offset + i)` and at most `base ** (offset + i + 1)`,
    where `base` is `2 ** 2 ** -scale`.
    """

    scale: int
    zero_count: int = 0
    offset: int = 0
    counts: tuple[int, ...] = ()
    total: float = math.nan
    """The sum of all values; not a number where it is not known, as are `min` and `max`."""
    min: float = math.nan
    max: float = math.nan


def keys_of(values: Sequence[float]) -> memoryview:
    """Return the bucket of each value: the first 16 bits of it as a 32-bit number.

    Takes 4 ns for each value where `ceil(log(value))` takes 52, as all of it is done in C. (Filling
    an `array("f")` takes 10.)

    Raises:
        struct.error: If a value is no number.
        OverflowError: If it is an integer beyond all floating point numbers.
    """
    return memoryview(pack(f"{len(values)}f", *values)).cast("H")[_TOP_HALVES]


@lru_cache(maxsize=4096)
def middle(key: int) -> float:
    """Return the value that is at most `BUCKET_ERROR` away from all in a bucket."""
    if not FIRST_KEY <= key <= LAST_KEY:
        return 0.0
    low, high = lower_bound(key), lower_bound(key + 1)
    return 2.0 * low * (high / (low + high))


def lower_bound(key: int) -> float:
    """Return the least value of a bucket, or where the last one ends."""
    if key > LAST_KEY:
        return 2.0**128
    return float(struct.unpack(">f", pack(">HH", key, 0))[0])


def scale_within(relative_error: float) -> int:
    """Return the coarsest scale at which an exported sketch keeps within a bound.

    A value is off by up to `BUCKET_ERROR` from the middle of its bucket here, and that one by up to
    `tanh(ln(base) / 2)` from the middle of its bucket there.
    """
    allowed = (1.0 + relative_error) / (1.0 + BUCKET_ERROR) - 1.0
    for scale in range(_COARSEST_SCALE, _FINEST_SCALE):
        if math.tanh(math.log(2.0) * 2.0**-scale / 2.0) <= allowed:
            return scale
    return _FINEST_SCALE


def exponential_counts(counts: Mapping[int, int], *, scale: int) -> tuple[int, tuple[int, ...]]:
    """Spread what buckets count over those of a base-2 exponential histogram.

    Returns:
        The index of its first bucket, and the counts from there on; `(0, ())` if all are zero.
    """
    at: dict[int, int] = {}
    for key, count in counts.items():
        if value := middle(key):
            index = math.ceil(math.log2(value) * 2.0**scale) - 1
            at[index] = at.get(index, 0) + count
    if not at:
        return 0, ()
    first = min(at)
    return first, tuple(at.get(index, 0) for index in range(first, max(at) + 1))


def counts_of(histogram: Exponential) -> dict[int, int]:
    """Return the counts by bucket of what an exponential histogram counts."""
    counts = {0: histogram.zero_count} if histogram.zero_count else {}
    for index, count in enumerate(histogram.counts, start=histogram.offset):
        if count:
            key = keys_of((_middle_of_exponential(index, scale=histogram.scale),))[0]
            counts[key] = counts.get(key, 0) + count
    return counts


def _middle_of_exponential(index: int, *, scale: int) -> float:
    """Return what is equally far, as a ratio, from both bounds of an exponential bucket."""
    width = math.log(2.0) * 2.0**-scale
    low = index * width
    # 2ab/(a+b) of the bounds a and b = a * exp(width), by logarithms: b alone may be too large
    log = low + width - math.log((1.0 + math.exp(min(width, 700.0))) / 2.0)
    return min(max(math.exp(min(max(log, -700.0), 700.0)), _SMALLEST), LARGEST)
