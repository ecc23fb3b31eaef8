"""Finished spans in bounded memory: the latest ones, and longer those of slow and failed traces."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import inf
from sys import getsizeof

from perfwright.monitoring.spans import Span
from perfwright.monitoring.tags import Large, size_of

LARGE_BYTES = 1600
"""What the tags and logs of a span may take on average, if they are counted: see `tags.Large`."""


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


def bytes_of(span: Span) -> int:
    """Return about how many bytes a span takes beyond what all take; 0: not worth counting."""
    if type(span.tags) is not Large and span.logs is None and span.error is None:
        return 0
    try:
        size = size_of(span.tags or {}) + getsizeof(span.error)
        return size + sum(getsizeof(what) + size_of(facts) for _, what, facts in span.logs or ())
    except Exception:  # noqa: BLE001 - of whatever a program set; it must not end the counting
        span.logs, span.tags = None, {"spoiled": "its tags or logs were set to another kind"}
        return 0


def is_large(span: Span) -> bool:
    """Whether the bytes of a span need a look."""
    return type(span.tags) is Large or span.logs is not None


class _Lot:
    """The latest spans of a kind, and since when none of them is forgotten."""

    __slots__ = ("_bytes", "_large", "_max_bytes", "_seen", "horizon_s", "spans")

    def __init__(self, room: int) -> None:
        self.spans: deque[Span] = deque(maxlen=room)
        self.horizon_s = -inf
        self._seen = 0
        self._large: deque[tuple[int, int]] = deque()
        self._bytes, self._max_bytes = 0, room * LARGE_BYTES

    def extend(self, spans: Sequence[Span]) -> int:
        """Append `spans` and return how many old ones fell out."""
        before = len(self.spans)
        self.spans.extend(spans)
        large = [
            (number, bytes_of(span))
            for number, span in enumerate(spans, self._seen)
            if type(span.tags) is Large or span.logs is not None
        ]
        self._seen += len(spans)
        if large or self._large:
            self._forget_large(large)
        lost = before + len(spans) - len(self.spans)
        if lost:
            first_kept = self.spans[0] if self.spans else spans[-1]
            self.horizon_s = max(self.horizon_s, first_kept.end_s)
        return lost

    def _forget_large(self, new: Sequence[tuple[int, int]]) -> None:
        """Count the bytes of large spans, and forget the oldest spans while they are too many."""
        self._large.extend(new)
        self._bytes += sum(size for _, size in new)
        first = self._seen - len(self.spans)
        while self._large and (self._large[0][0] < first or self._bytes > self._max_bytes):
            number, size = self._large.popleft()
            self._bytes -= size
            while first <= number:
                self.spans.popleft()
                first += 1

    def take(self, trace_ids: set[int]) -> list[Span]:
        """Return the spans of these traces, which are no longer here."""
        found = [span for span in self.spans if span.trace_id in trace_ids]
        if found:
            rest = [span for span in self.spans if span.trace_id not in trace_ids]
            self.spans.clear()
            self._large.clear()
            self._bytes = 0
            self.extend(rest)
        return found


class SpanStore:
    """Keeps three bounded lots of spans: chosen by head sampling, not chosen, and notable.

    What head sampling did not choose waits in case its trace turns out slow or failed, as the slow
    span of a trace commonly ends last. Not for several threads: its monitor holds a lock.
    """

    def __init__(self, max_spans: int, *, max_spans_per_trace: int) -> None:
        self._chosen = _Lot(max(1, max_spans // 2))
        self._waiting = _Lot(max(1, max_spans // 4))
        # Not a dict: looking for its first key passes by all that were deleted before.
        self._notable: OrderedDict[int, _Notable] = OrderedDict()
        self._notable_room = max(1, max_spans // 4)
        self._notable_spans = self._notable_bytes = 0
        self._max_spans_per_trace = max_spans_per_trace
        self.dropped = {"oldest": 0, "not_sampled": 0, "oldest_notable": 0}
        """Spans that are no longer kept, by the reason."""

    def __len__(self) -> int:
        return len(self._chosen.spans) + len(self._waiting.spans) + self._notable_spans

    def add(self, batch: Sequence[Span], *, notable: Sequence[Span], slow_s: float) -> list[Span]:
        """Take spans that have just finished.

        Args:
            batch: In the order in which they finished.
            notable: Those of them that are slow or failed.
            slow_s: From how many seconds on a span is slow.

        Returns:
            What to export: the chosen ones, and all that is known of traces that became notable.
        """
        if not self._notable and not notable:
            return self._keep(batch)  # so for nearly all batches of a healthy program
        known = self._notable.keys()
        fresh = {span.trace_id: span for span in notable if span.trace_id not in known}
        if not fresh and known.isdisjoint([span.trace_id for span in batch]):
            return self._keep(batch)
        for trace_id, span in fresh.items():
            self._notable[trace_id] = _Notable(self._lot_of(span).horizon_s)
        # One pass over both lots for each batch that brings new ones: 0.2 ms with 10,000 spans, so
        # at most 0.8 us for a span even where every trace is slow.
        waited = self._waiting.take(set(fresh)) if fresh else []
        exported_before = self._chosen.take(set(fresh)) if fresh else []
        spans = [*waited, *exported_before, *batch]
        told = [span for span in spans if self._keep_notable(span, slow_s=slow_s)]
        here = {id(span) for span in told}
        rest = [span for span in spans if id(span) not in here]
        exported = self._keep(rest) + told
        self._forget_oldest_notable()
        before = {id(span) for span in exported_before}
        return [span for span in exported if id(span) not in before]

    def _lot_of(self, span: Span) -> _Lot:
        return self._chosen if span.kept else self._waiting

    def _keep(self, batch: Sequence[Span]) -> list[Span]:
        chosen = [span for span in batch if span.kept]
        self.dropped["oldest"] += self._chosen.extend(chosen)
        if len(chosen) < len(batch):
            others = [span for span in batch if not span.kept]
            self.dropped["not_sampled"] += self._waiting.extend(others)
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
            self.dropped["oldest_notable"] += lost

    def merge(self, other: SpanStore, *, slow_s: float) -> None:
        """Take what another store kept, and count what it did not keep."""
        notable = [span for each in other._notable.values() for span in each.spans]
        spans = sorted(
            chain(other._chosen.spans, other._waiting.spans, notable), key=lambda span: span.end_s
        )
        self.add(spans, notable=notable, slow_s=slow_s)
        for reason, count in other.dropped.items():
            self.dropped[reason] += count

    def traces(self) -> list[Trace]:
        """Return all kept traces, those that began to be kept first at the front.

        Traces that head sampling did not choose are among them only where they are notable.
        """
        found: dict[int, list[Span]] = {}
        for span in self._chosen.spans:
            found.setdefault(span.trace_id, []).append(span)
        notable = [
            _notable_trace(each, more=found.pop(trace_id, ()))
            for trace_id, each in self._notable.items()
        ]
        horizon_s = self._chosen.horizon_s
        return [_trace(spans, horizon_s=horizon_s) for spans in found.values()] + notable

    def trace(self, trace_id: int) -> Trace | None:
        """Return one trace, even of what head sampling did not choose, while it is remembered."""
        both = chain(self._chosen.spans, self._waiting.spans)
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
