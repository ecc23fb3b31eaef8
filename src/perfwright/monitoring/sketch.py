"""Quantiles of any number of durations in little memory, within a stated bound, mergeable."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, Self

from perfwright.core import ConfigError
from perfwright.monitoring._buckets import LARGEST, LAST_KEY, MINUS_ZERO, Exponential, keys_of
from perfwright.monitoring._contents import (
    Contents,
    contents_of_dict,
    contents_of_exponential,
    unreadable,
)
from perfwright.monitoring._sums import shown, units_in, units_of
from perfwright.monitoring._turns import LOCK, offer

__all__ = ["LATENCY_BOUNDS_S", "Exponential", "Sketch"]

LATENCY_BOUNDS_S: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Upper bounds for Prometheus, in seconds."""

_FOLD_AT = 1024
"""Values that wait at most."""

AT_HAND: Final = 1365
FEW_AT_HAND: Final = 682
"""Buckets in a dictionary: with one more, it takes twice the memory."""

_PAGE_BITS = 7
_PAGE_LAST = (1 << _PAGE_BITS) - 1
_EMPTY_PAGE = array("Q", bytes(8 << _PAGE_BITS))


class Sketch:
    """Counts values in buckets whose width grows with the value.

    Values share a bucket if they share the first 16 bits as 32-bit floating point numbers: the
    sign, the exponent and 7 bits of the fraction, so 128 buckets for each doubling. There are at
    most 32,640 buckets; durations from 1 ms to 1 s have 1,280. None is ever collapsed: the bound
    always holds, and neither the order of adding nor that of merging ever shows.

    Values wait in a list until there are enough of them, or until somebody reads: no reader sees
    less than what was added. Threads may add, read and merge at the same time.

    Source: C. Masson, J. E. Rim, H. K. Lee, DDSketch, Proceedings of the VLDB Endowment 12 (2019),
        for sketches with a relative bound; the buckets are those of floating point numbers.
    """

    __slots__ = (
        "_at_hand",
        "_count",
        "_counts",
        "_folding",
        "_high_key",
        "_low_key",
        "_max",
        "_min",
        "_pages",
        "_units",
        "_waiting",
        "_within",
    )

    def __init__(self, relative_error: float = 0.01, *, at_hand: int = AT_HAND) -> None:
        """Make an empty sketch.

        Args:
            relative_error: How far a quantile may be from the true one, as a ratio of it, in what
                `to_exponential` exports. In the sketch itself it is 0.0039 at most.
            at_hand: Buckets counted where it is quick, and takes 90 bytes each; the rest takes 8.

        Raises:
            ConfigError: If it is below 0.005 or above 0.5.
        """
        if not 0.005 <= relative_error <= 0.5:
            problem = "must be a ratio from 0.005 to 0.5"
            raise ConfigError(field="relative_error", value=relative_error, problem=problem)
        self._within = relative_error
        self._waiting: list[float] = []
        self._counts: Counter[int] = Counter()
        self._at_hand = at_hand
        self._pages: dict[int, array[int]] = {}
        self._count = 0
        self._units = 0
        self._min, self._max = math.inf, -math.inf
        self._low_key, self._high_key = LAST_KEY, 0
        self._folding = False

    def add(self, value: float, count: int = 1) -> None:
        """Count a value, `count` times.

        Raises:
            ValueError: If the value is negative, not finite or above 3.4e38; if `count` is
                negative.
        """
        if not 0.0 <= value <= LARGEST:
            raise ValueError(f"a sketch holds numbers from 0 to {LARGEST:g}, not {value!r}")
        if count == 1:
            waiting = self._waiting
            waiting.append(value)
            if len(waiting) >= _FOLD_AT:
                offer(self._fold_once, is_full=self._is_full)
            return
        if count < 0:
            raise ValueError(f"a value cannot be counted {count} times")
        if count:
            key = keys_of((value,))[0]
            units = units_of(float(value)) * count
            self._put(Contents({key: count}, count, units, value, value))

    def extend(self, values: Iterable[float]) -> None:
        """Count many values at once.

        Raises:
            ValueError: If some are negative, not finite or above 3.4e38; the others are counted.
        """
        taken = list(values)
        if not self.take(taken):
            valid = [value for value in taken if 0.0 <= value <= LARGEST]
            self.take(valid)
            raise ValueError(
                f"a sketch holds numbers from 0 to {LARGEST:g}: {len(taken) - len(valid)} of "
                f"{len(taken)} values are none, the others were counted"
            )

    def take(self, values: Sequence[float]) -> bool:
        """Count all values at once, or none and return False if one cannot be counted."""
        if not values:
            return True
        with LOCK:
            is_taken = self.take_locked(values)
            self.tidy()
            return is_taken

    def merge(self, other: Sketch) -> None:
        """Count all that `other` counted, as if it had been added here."""
        self._put(other.contents())

    @property
    def relative_error(self) -> float:
        """The bound of what is exported, as a ratio."""
        return self._within

    @property
    def count(self) -> int:
        """How many values were added."""
        return self.contents().count

    @property
    def total(self) -> float:
        """Sum of all values to 10 digits: beyond them the order of adding could show."""
        return shown(self.contents().units)

    @property
    def min(self) -> float:
        """The least value, exactly; not a number if there is none."""
        return self.contents().min

    @property
    def max(self) -> float:
        """The largest value, exactly; not a number if there is none."""
        return self.contents().max

    def quantile(self, q: float) -> float:
        """Return the value below which a ratio `q` of all values lies; see `quantiles`."""
        return self.quantiles((q,))[0]

    def quantiles(self, qs: Sequence[float]) -> list[float]:
        """Return several quantiles, within 0.39 % each; not a number if the sketch is empty.

        Between two values it is interpolated, as numpy does: `q` times (count - 1) is the rank.

        Raises:
            ValueError: If one is not from 0 to 1.
        """
        if bad := [q for q in qs if not 0.0 <= q <= 1.0]:
            raise ValueError(f"a quantile is a ratio from 0 to 1, not {bad[0]!r}")
        return self.contents().quantiles(qs)

    def buckets(self, bounds: Iterable[float] = LATENCY_BOUNDS_S) -> dict[float, int]:
        """Return how many values are at most each bound, in ascending order of bounds.

        A value that is above a bound by less than 0.8 % may be counted as if it were not.
        """
        return self.contents().at_most(bounds)

    def to_exponential(self) -> Exponential:
        """Return an OpenTelemetry exponential histogram that keeps within `relative_error`."""
        return self.contents().exponential(relative_error=self._within)

    @classmethod
    def from_exponential(cls, histogram: Exponential, *, relative_error: float = 0.01) -> Self:
        """Make a sketch of an OpenTelemetry exponential histogram.

        To the error of the histogram, `(base - 1) / (base + 1)`, come 0.39 %.

        Raises:
            TelemetryError: If it counts or sums up what cannot be.
        """
        sketch = cls(relative_error)
        sketch._put(contents_of_exponential(histogram))
        return sketch

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` needs, in a form that JSON can hold."""
        return {"relative_error": self._within, **self.contents().to_dict()}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Self:
        """Make a sketch again of what `to_dict` returned.

        Raises:
            TelemetryError: If it is something else.
        """
        try:
            sketch = cls(float(saved["relative_error"]))
        except (KeyError, TypeError, ValueError, ConfigError) as problem:
            raise unreadable(f"{type(problem).__name__}: {problem}") from problem
        sketch._put(contents_of_dict(saved))
        return sketch

    def contents(self) -> Contents:
        """Return what was added so far: a copy, in which all parts fit together."""
        with LOCK:
            self._fold()
            low, high = (self._min, self._max) if self._count else (math.nan, math.nan)
            return Contents(self._all_counts(), self._count, self._units, low, high)

    def __eq__(self, other: object) -> bool:
        """Whether both counted the same, whatever the order."""
        if not isinstance(other, Sketch):
            return NotImplemented
        mine, others = self.to_dict(), other.to_dict()
        return {**mine, "total": self.total} == {**others, "total": other.total}

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        held = self.contents()
        return f"<Sketch of {held.count} values from {held.min:g} to {held.max:g}>"

    def _is_full(self) -> bool:
        return len(self._waiting) >= 2 * _FOLD_AT

    def _fold(self) -> None:
        """Count the values that wait."""
        with LOCK:
            self._fold_once()

    def _fold_once(self) -> None:
        if self._folding:  # a signal handler interrupted this very thread at it
            return
        try:
            self._folding = True
            values = self._waiting[:]  # others may append: what comes later stays
            number = len(values)
            if number:
                self.take_locked(values)  # `add` has looked at each
                del self._waiting[:number]
                self.tidy()
        finally:
            self._folding = False

    def take_locked(self, values: Sequence[float]) -> bool:
        """Do as `take`, in the hands of who has `LOCK`, without `tidy`.

        It is all or nothing even if a signal handler raises an exception in the midst of it.
        """
        counts = self._counts
        try:
            about = float(sum(values))
            keys = keys_of(values)
        except (OverflowError, TypeError):  # an integer beyond all floating point numbers, a text
            return False
        known, at_low, at_high = len(counts), counts[self._low_key], counts[self._high_key]
        try:
            counts.update(keys)
            # Looking at new buckets and at those of both ends saves the 20 ns of looking at each
            # value. What cannot be counted is always among the new ones, as it never keeps its
            # bucket.
            new = list(islice(reversed(counts), len(counts) - known))
            extremes: list[float] = []
            if new and max(new) > LAST_KEY:
                if not _are_valid(values):
                    self._untake(keys)
                    return False
                extremes.append(0.0)  # it was -0.0
            if counts[self._low_key] > at_low or min(new, default=LAST_KEY) < self._low_key:
                extremes.append(min(values))
            if counts[self._high_key] > at_high or max(new, default=0) > self._high_key:
                extremes.append(max(values))
            bounds = self._bounds_with(extremes)
            count = self._count + len(values)
            units = self._units + units_in(values, about=about, least=bounds[0])
        except BaseException:
            if self._total_count() > self._count:
                self._untake(keys)
            raise
        # From here to the return there is no call, so that all of it is done.
        self._count, self._units = count, units
        self._min, self._max, self._low_key, self._high_key = bounds
        return True

    def tidy(self) -> None:
        """Move many buckets to where each takes 8 bytes; in a dictionary it takes 90.

        Costs 60 ns a bucket. Values must spread over more than ten doublings for it to happen.
        """
        if len(self._counts) <= self._at_hand:
            return
        beyond: Counter[int] = Counter()
        pages: dict[int, array[int]] = {}
        for key, count in self._counts.items():
            number = key >> _PAGE_BITS
            if number not in pages:
                pages[number] = self._pages.get(number, _EMPTY_PAGE)[:]
            page = pages[number]
            total = page[key & _PAGE_LAST] + count
            if total < 1 << 64:
                page[key & _PAGE_LAST] = total
            else:
                beyond[key] = count
        pages = {**self._pages, **pages}
        self._pages, self._counts = pages, beyond

    def _total_count(self) -> int:
        return sum(self._counts.values()) + sum(map(sum, self._pages.values()))

    def _all_counts(self) -> dict[int, int]:
        counts = Counter(self._counts)
        for number, page in self._pages.items():
            first = number << _PAGE_BITS
            counts.update({first + at: count for at, count in enumerate(page) if count})
        return dict(counts)

    def _untake(self, keys: memoryview) -> None:
        gone = Counter(keys)
        if MINUS_ZERO not in self._counts:
            gone[0] += gone.pop(MINUS_ZERO, 0)
        left = {key: count - gone[key] for key, count in self._counts.items()}
        self._counts = Counter({key: count for key, count in left.items() if count})

    def _bounds_with(self, values: Sequence[float]) -> tuple[float, float, int, int]:
        """Return the least and the largest of all values and of these, with their buckets."""
        if not values:
            return self._min, self._max, self._low_key, self._high_key
        low = min(self._min, *map(float, values))
        high = max(self._max, *map(float, values))
        if MINUS_ZERO in self._counts:
            self._counts[0] += self._counts.pop(MINUS_ZERO)
        low_key, high_key = keys_of((low, high))
        return low, high, low_key, high_key

    def _put(self, more: Contents) -> None:
        """Add what was counted elsewhere."""
        if not more.count:
            return
        with LOCK:
            self._fold()
            counts = self._counts.copy()
            counts.update(more.counts)
            bounds = self._bounds_with((more.min, more.max))
            self._counts = counts  # no call from here on: all or nothing
            self._count += more.count
            self._units += more.units
            self._min, self._max, self._low_key, self._high_key = bounds
            self.tidy()


def _are_valid(values: Sequence[float]) -> bool:
    return all(0.0 <= value <= LARGEST for value in values)
