"""How long one operation takes: lately, and since the start."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final, NoReturn

from perfwright.core import ConfigError
from perfwright.monitoring._buckets import LARGEST
from perfwright.monitoring._contents import between
from perfwright.monitoring._turns import LOCK, offer
from perfwright.monitoring.sketch import AT_HAND, FEW_AT_HAND, Sketch
from perfwright.monitoring.throughput import Throughput

PERCENTILES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}

_FOLD_AT = 1024
"""Records that wait, by default: with 512 each costs 4 % more, with 256 12 %."""


class Latencies:
    """Durations of one operation: the last ones exactly, all of them in a sketch.

    Each record is appended to one list, which threads can do at the same time without losing any.
    When there are enough, or when somebody reads, what is new in it is counted and what is too old
    is cut off: no reader sees less than what was recorded. A thread that finds far too many waiting
    while another one counts waits for that one, as it is held up by those that record.
    """

    __slots__ = (
        "_folded",
        "_folding",
        "_limit",
        "_log",
        "_rates",
        "_refused",
        "_sketch",
        "window",
    )

    def __init__(
        self,
        window: int = 1000,
        *,
        relative_error: float = 0.01,
        since_s: float = -math.inf,
        max_waiting: int = _FOLD_AT,
    ) -> None:
        """Make it empty.

        Args:
            window: How many of the last operations are kept, at least 1. Each takes 75 bytes, 120
                if it has a trace; up to 1,024 that wait to be counted come on top.
            relative_error: See `Sketch`.
            since_s: When counting began, in seconds of the clock: what ended before, elsewhere,
                does not lower the average throughput.
            max_waiting: Records that wait to be counted, at least 256; with fewer than 1,024, its
                sketch takes less memory as well.

        Raises:
            ConfigError: If a value is out of range.
        """
        if window < 1:
            raise ConfigError(field="window", value=window, problem="must be at least 1")
        self.window = window
        at_hand = AT_HAND if max_waiting >= _FOLD_AT else FEW_AT_HAND
        self._sketch = Sketch(relative_error, at_hand=at_hand)
        self._rates = Throughput(since_s)
        self._refused = 0
        self._log: list[Any] = []  # seconds, trace, end of each: flat, as tuples cost collections
        self._folded = 0
        self._limit = 3 * (window + max(256, min(window, max_waiting)))
        self._folding = False

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied, as the copy would go on recording here."""
        raise TypeError("Latencies cannot be copied or pickled: merge them into new ones")

    def record(  # noqa: PLR0917 - keywords would make it a third dearer
        self, seconds: float, trace_id: int = 0, now_s: float = 0.0
    ) -> None:
        """Record one operation; never raises.

        Args:
            seconds: How long it took. What is negative or not finite counts in `refused`.
            trace_id: Of the trace that it was a part of; 0: none.
            now_s: When it ended, in seconds of the clock.
        """
        log = self._log
        log += (seconds, trace_id, now_s)
        if len(log) >= self._limit:
            offer(self._fold_once, is_full=self._is_full)

    def extend(  # noqa: PLR0917 - columns of one table
        self, seconds: Sequence[float], trace_ids: Sequence[int], ends_s: Sequence[float]
    ) -> None:
        """Record many operations in the order in which they ended; see `record`.

        Raises:
            ValueError: If the lengths differ.
        """
        self.put(rows_of(seconds, trace_ids, ends_s))
        self.fold_if_full()

    def put(self, rows: list[Any]) -> None:
        """Record what `rows_of` returned; `fold_if_full` is to follow."""
        log = self._log
        log += rows

    def fold_if_full(self) -> None:
        """Count what waits if that is enough."""
        if len(self._log) >= self._limit:
            offer(self._fold_once, is_full=self._is_full)

    def fold_if_full_locked(self) -> None:
        """Do as `fold_if_full`, in the hands of who has `LOCK`."""
        if len(self._log) >= self._limit:
            self._fold_once()

    @property
    def count(self) -> int:
        """How many operations were recorded since the start."""
        return self.sketch.count

    @property
    def refused(self) -> int:
        """How many records could not be counted."""
        self._fold()
        return self._refused

    @property
    def sketch(self) -> Sketch:
        """All durations since the start, in seconds."""
        self._fold()
        return self._sketch

    def percentiles(self, window: bool = True) -> dict[str, float]:
        """Return p50 to p99.9 in seconds; not a number if nothing was recorded.

        Args:
            window: Of the last operations, exactly; else of all, within 0.39 %.
        """
        if window:
            return _exact_percentiles(sorted(self._recent()[0::3]))
        return dict(
            zip(PERCENTILES, self.sketch.quantiles(list(PERCENTILES.values())), strict=True)
        )

    def exemplars(self) -> dict[str, int]:
        """Return a trace whose duration is nearest to each percentile of the last operations.

        Those recorded without a trace are passed over; empty if none had one.
        """
        recent = self._recent()
        traced = sorted(row for row in zip(recent[0::3], recent[1::3], strict=True) if row[1])
        if not traced:
            return {}
        exact = _exact_percentiles(sorted(recent[0::3]))
        return {name: _nearest(traced, seconds) for name, seconds in exact.items()}

    def stats(self) -> dict[str, Any]:
        """Return percentiles, `count`, `mean`, `min`, `max` in seconds: lately, and `lifetime`."""
        recent = sorted(self._recent()[0::3])
        held = self.sketch
        return {
            **_summary(recent, total=math.fsum(recent)),
            **_exact_percentiles(recent),
            "refused": self._refused,
            "lifetime": {
                **self.percentiles(window=False),
                "count": held.count,
                "mean": held.total / held.count if held.count else math.nan,
                "min": held.min,
                "max": held.max,
            },
        }

    def throughput(self, now_s: float) -> dict[str, float]:
        """Return operations per second: `current` of 10 s, `avg` since the first, `max` of 1 s."""
        with LOCK:
            self._fold()
            return self._rates.rates(now_s)

    def merge(self, other: Latencies) -> None:
        """Take in all of `other`, as if it had been recorded here in the order of its end."""
        with LOCK:
            self._fold()
            rows = _rows(self._log[: self._folded]) + _rows(other._recent())
            rows.sort(key=itemgetter(2))
            self._sketch.merge(other._sketch)
            self._rates.merge(other._rates)
            self._refused += other._refused
            kept = _flat(rows[-self.window :])
            folded = len(kept)
            self._log[: self._folded] = kept
            self._folded = folded

    def resize(self, window: int) -> None:
        """Keep another number of the last operations from now on."""
        with LOCK:
            waiting = self._limit - 3 * self.window
            self.window, self._limit = window, 3 * window + waiting

    def _recent(self) -> list[Any]:
        """Return the last operations, flat as the log is."""
        with LOCK:
            self._fold()
            return self._log[max(0, self._folded - 3 * self.window) : self._folded]

    def _is_full(self) -> bool:
        return len(self._log) >= 2 * self._limit

    def _fold(self) -> None:
        """Count what is new in the log, and cut off what is old."""
        with LOCK:
            self._fold_once()

    def _fold_once(self) -> None:
        if self._folding:  # a signal handler interrupted this very thread at it
            return
        try:
            self._folding = True
            self._fold_log()
        finally:
            self._folding = False

    def _fold_log(self) -> None:
        log, start = self._log, self._folded
        end = len(log)  # others may append: what comes later waits for the next time
        if end > start and not self._count_columns(
            log[start:end:3], log[start + 2 : end : 3], end=end
        ):
            rows = _rows(log[start:end])
            valid = [row for row in rows if _is_valid(row)]
            seconds, ends_s = [row[0] for row in valid], [row[2] for row in valid]
            flat, refused = _flat(valid), len(rows) - len(valid)
            log[start:end] = flat
            self._refused += refused
            end = start + len(flat)
            self._count_columns(seconds, ends_s, end=end)
        old = max(0, end - 3 * self.window)
        if old:
            del log[:old]
            self._folded -= old

    def _count_columns(self, seconds: list[float], ends_s: list[float], *, end: int) -> bool:
        """Count what is in the log up to `end`, or return False if one cannot be counted."""
        try:
            ends_s.sort()  # 4 ns each, as they are in order already
            if not math.isfinite(sum(ends_s)):
                return False
        except TypeError:
            return False
        if seconds and not self._sketch.take_locked(seconds):
            return False
        self._folded = end  # right after: no signal handler raises in between, which counts twice
        self._sketch.tidy()
        self._rates.add(ends_s)
        return True


def _is_valid(row: tuple[Any, ...]) -> bool:
    seconds, trace_id, end_s = row
    return (
        isinstance(seconds, (int, float))
        and 0.0 <= seconds <= LARGEST
        and isinstance(trace_id, int)
        and isinstance(end_s, (int, float))
        and math.isfinite(end_s)
    )


def rows_of(  # noqa: PLR0917 - columns of one table
    seconds: Sequence[float], trace_ids: Sequence[int], ends_s: Sequence[float]
) -> list[Any]:
    """Return columns as `Latencies` has them: flat, as tuples would cost garbage collections.

    Raises:
        ValueError: If the lengths differ.
    """
    rows: list[Any] = [None] * (3 * len(seconds))
    rows[0::3], rows[1::3], rows[2::3] = seconds, trace_ids, ends_s
    return rows


def _rows(flat: list[Any]) -> list[tuple[Any, ...]]:
    return list(zip(flat[0::3], flat[1::3], flat[2::3], strict=True))


def _flat(rows: list[tuple[Any, ...]]) -> list[Any]:
    return [part for row in rows for part in row]


def _exact_percentiles(ordered: list[float]) -> dict[str, float]:
    last = len(ordered) - 1
    return {
        name: between(q * last, ordered.__getitem__) if ordered else math.nan
        for name, q in PERCENTILES.items()
    }


def _summary(ordered: list[float], *, total: float) -> dict[str, float]:
    if not ordered:
        return {"count": 0, "mean": math.nan, "min": math.nan, "max": math.nan}
    count = len(ordered)
    return {"count": count, "mean": total / count, "min": ordered[0], "max": ordered[-1]}


def _nearest(traced: list[tuple[float, int]], seconds: float) -> int:
    at = bisect_left(traced, seconds, key=itemgetter(0))
    near = traced[max(0, at - 1) : at + 1]
    return min(near, key=lambda row: abs(row[0] - seconds))[1]
