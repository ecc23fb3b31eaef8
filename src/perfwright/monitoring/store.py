"""Finished spans in bounded memory: the latest ones, and longer those of slow and failed traces."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import inf

from perfwright.monitoring._lots import LARGE_BYTES, Lot, bytes_of
from perfwright.monitoring.spans import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What is known of one trace: its finished spans, as far as they were still there."""

    trace_id: int
    spans: tuple[Span, ...]
    """By their start, the earlier first."""
    complete: bool
    """False: its outermost span is missing, is not finished, or spans of it may be forgotten."""
    slow: bool
    """Whether a span of it took the slow threshold or longer."""

    @property
    def failed(self) -> bool:
        """Whether a span of it failed."""
        return any(span.error is not None for span in self.spans)

    @property
    def root(self) -> Span | None:
        """The outermost span: the one whose parent is not among the spans; None if not finished."""
        known = {span.span_id for span in self.spans}
        outermost = [span for span in self.spans if span.parent_id not in known]
        return outermost[0] if len(outermost) == 1 else None

    @property
    def start_s(self) -> float:
        """When its first span started, in seconds of the monitor's clock."""
        return min(span.start_s for span in self.spans)

    @property
    def seconds(self) -> float:
        """From the start of its first span to the end of its last."""
        return max(span.end_s for span in self.spans) - self.start_s

    @property
    def trace_id_hex(self) -> str:
        """As W3C Trace Context has it: 32 hexadecimal digits."""
        return f"{self.trace_id:032x}"


@dataclass(slots=True)
class _Notable:
    """A trace with a slow or failed span, while it lasts."""

    horizon_s: float
    """Of what ended before this, nothing was remembered any more when it became notable."""
    slow: bool = False
    cut: bool = False
    """Whether there was no room for all of its spans here."""
    spans: list[Span] = field(default_factory=list)
    bytes: int = 0
    """Of its large spans."""

    def forget(self, count: int) -> None:
        """Forget the first spans."""
        self.bytes -= sum(map(bytes_of, self.spans[:count]))
        del self.spans[:count]
        self.cut = True


class SpanStore:
    """Keeps three bounded lots of spans: chosen by head sampling, not chosen, and notable.

    What head sampling did not choose waits in case its trace turns out slow or failed, as the slow
    span of a trace commonly ends last. Not for several threads: its monitor holds a lock.
    """

    def __init__(self, max_spans: int, *, max_spans_per_trace: int) -> None:
        self._chosen = Lot(max(1, max_spans // 2))
        self._waiting = Lot(max(1, max_spans // 4))
        # Not a dict: looking for its first key passes by all that were deleted before.
        self._notable: OrderedDict[int, _Notable] = OrderedDict()
        self._notable_room = max(1, max_spans // 4)
        self._notable_spans = self._notable_bytes = self._notable_lost = 0
        self._max_spans_per_trace = max_spans_per_trace
        self.taken = 0
        """Spans that were ever given to it."""

    def __len__(self) -> int:
        return len(self._chosen) + len(self._waiting) + self._notable_spans

    @property
    def dropped(self) -> dict[str, int]:
        """Spans that are no longer kept, by the reason."""
        dropped = {
            "oldest": self._chosen.lost,
            "not_sampled": self._waiting.lost,
            "oldest_notable": self._notable_lost,
        }
        # Lost on their way from one lot to another, when a signal handler raised an exception.
        interrupted = self.taken - len(self) - sum(dropped.values())
        return dropped | {"interrupted": interrupted} if interrupted else dropped

    def add(self, batch: Sequence[Span], *, notable: Sequence[Span], slow_s: float) -> list[Span]:
        """Take spans that have just finished; none if an exception arrives before `taken` is more.

        Args:
            batch: In the order in which they finished.
            notable: Those of them that are slow or failed.
            slow_s: From how many seconds on a span is slow.

        Returns:
            What to export: the chosen ones, and all that is known of traces that became notable.
        """
        if not self._notable and not notable:
            return self._keep(batch, taken=len(batch))  # so for nearly all of a healthy program
        known = self._notable.keys()
        fresh = {span.trace_id: span for span in notable if span.trace_id not in known}
        if not fresh and known.isdisjoint([span.trace_id for span in batch]):
            return self._keep(batch, taken=len(batch))
        self.taken += len(batch)
        for trace_id, span in fresh.items():
            self._notable[trace_id] = _Notable(self._lot_of(span).horizon_s)
        waited = self._waiting.take(fresh.keys()) if fresh else []
        exported_before = self._chosen.take(fresh.keys()) if fresh else []
        spans = [*waited, *exported_before, *batch]
        told = [span for span in spans if self._keep_notable(span, slow_s=slow_s)]
        here = {id(span) for span in told}
        rest = [span for span in spans if id(span) not in here]
        exported = self._keep(rest, taken=0) + told
        self._forget_oldest_notable()
        before = {id(span) for span in exported_before}
        return [span for span in exported if id(span) not in before]

    def _lot_of(self, span: Span) -> Lot:
        return self._chosen if span.kept else self._waiting

    def _keep(self, batch: Sequence[Span], *, taken: int) -> list[Span]:
        chosen = [span for span in batch if span.kept]
        is_all = len(chosen) == len(batch)
        others = [] if is_all else [span for span in batch if not span.kept]
        kept, waiting = self._chosen.room_for(chosen), self._waiting.room_for(others)
        count, waiting_count = len(chosen), len(others)
        # No calls: all or nothing, even if a signal handler raises an exception.
        kept += chosen
        self._chosen.count += count
        waiting += others
        self._waiting.count += waiting_count
        self.taken += taken
        self._chosen.trim(chosen)
        if others:
            self._waiting.trim(others)
        return chosen

    def _keep_notable(self, span: Span, *, slow_s: float) -> bool:
        """Put a span to the other ones of its trace if that is notable and has room."""
        trace = self._notable.get(span.trace_id)
        if trace is None:
            return False
        if span.end_s - span.start_s >= slow_s:
            trace.slow = True
        elif len(trace.spans) >= self._max_spans_per_trace and span.error is None:
            trace.cut = True
            return False
        size = bytes_of(span)
        trace.spans.append(span)
        trace.bytes += size
        self._notable_spans += 1
        self._notable_bytes += size
        return True

    def _forget_oldest_notable(self) -> None:
        max_bytes = self._notable_room * LARGE_BYTES
        while self._notable_spans > self._notable_room or self._notable_bytes > max_bytes:
            trace_id, oldest = next(iter(self._notable.items()))
            held = oldest.bytes
            if len(self._notable) > 1 or len(oldest.spans) == 1:
                lost, oldest.bytes = len(oldest.spans), 0
                del self._notable[trace_id]
                if oldest.spans[-1].parent_id:  # perhaps it goes on: the rest will not be all of it
                    lot = self._lot_of(oldest.spans[-1])
                    lot.horizon_s = max(lot.horizon_s, oldest.spans[-1].end_s)
            else:  # one endless trace: forget its beginning, keep its end
                lost = max(1, self._notable_spans - self._notable_room)
                oldest.forget(lost)
            self._notable_spans -= lost
            self._notable_bytes -= held - oldest.bytes
            self._notable_lost += lost

    def merge(self, other: SpanStore, *, slow_s: float) -> None:
        """Take what another store kept, and count what it did not keep."""
        notable = [span for each in other._notable.values() for span in each.spans]
        spans = sorted(chain(other._chosen, other._waiting, notable), key=lambda span: span.end_s)
        self.add(spans, notable=notable, slow_s=slow_s)
        self._chosen.lost += other._chosen.lost
        self._waiting.lost += other._waiting.lost
        self._notable_lost += other._notable_lost
        self.taken += other.taken - len(other)

    def traces(self) -> list[Trace]:
        """Return all kept traces, those that began to be kept first at the front.

        Traces that head sampling did not choose are among them only where they are notable.
        """
        found: dict[int, list[Span]] = {}
        for span in self._chosen:
            found.setdefault(span.trace_id, []).append(span)
        notable = [
            _notable_trace(each, more=found.pop(trace_id, ()))
            for trace_id, each in self._notable.items()
        ]
        horizon_s = self._chosen.horizon_s
        return [_trace(spans, horizon_s=horizon_s) for spans in found.values()] + notable

    def trace(self, trace_id: int) -> Trace | None:
        """Return one trace, even of what head sampling did not choose, while it is remembered."""
        both = chain(self._chosen, self._waiting)
        spans = [span for span in both if span.trace_id == trace_id]
        notable = self._notable.get(trace_id)
        if notable is not None:
            return _notable_trace(notable, more=spans)
        return _trace(spans, horizon_s=self._lot_of(spans[0]).horizon_s) if spans else None


def _notable_trace(notable: _Notable, *, more: Iterable[Span]) -> Trace:
    return _trace(
        [*notable.spans, *more],
        horizon_s=notable.horizon_s if not notable.cut else inf,
        slow=notable.slow,
    )


def _trace(spans: Sequence[Span], *, horizon_s: float, slow: bool = False) -> Trace:
    """Put a trace together; it is complete if its root began when nothing was forgotten yet."""
    ordered = sorted(spans, key=lambda span: (span.start_s, span.span_id))
    partial = Trace(trace_id=ordered[0].trace_id, spans=tuple(ordered), complete=False, slow=slow)
    root = partial.root
    return replace(partial, complete=root is not None and root.start_s >= horizon_s)
