"""The latest spans of a kind, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence, Set
from math import inf, isqrt
from sys import getsizeof

from perfwright.monitoring.spans import Span
from perfwright.monitoring.tags import Large, size_of

LARGE_BYTES = 1600
"""What the tags and logs of a span may take on average, if they are counted: see `tags.Large`."""
_BLOCK = 256
_MANY = 20_000
"""Spans from which on blocks are looked at when they are full, which costs each span 25 ns. With
fewer, all together take 0.5 ms when the first trace turns out slow; with a million, 200 ms."""


def _size_of(span: Span) -> int:
    size = size_of(span.tags or {}) + getsizeof(span.error)
    return size + sum(getsizeof(what) + size_of(facts) for _, what, facts in span.logs or ())


def bytes_of(span: Span) -> int:
    """Return about how many bytes a span takes beyond what all take; 0: not worth counting."""
    if type(span.tags) is not Large and span.logs is None and span.error is None:
        return 0
    try:
        return _size_of(span)
    except Exception:  # of whatever a program set, which must not end the counting
        try:
            _size_of(span)
        except Exception:  # noqa: BLE001 - twice: it was no signal handler
            span.logs, span.tags = None, {"spoiled": "its tags or logs were set to another kind"}
            return 0
        raise


def is_large(span: Span) -> bool:
    """Whether the bytes of a span need a look."""
    return type(span.tags) is Large or span.logs is not None


class _Block:
    """Neighbouring spans: those of a trace are sought only in blocks that know it."""

    __slots__ = ("large", "spans", "trace_ids")

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.trace_ids: set[int] | None = None
        """None: not looked at since spans came or went."""
        self.large: dict[int, int] = {}
        """Bytes of its large spans, by `id`."""

    def look(self) -> set[int]:
        """Return the traces of its spans."""
        if self.trace_ids is None:
            self.trace_ids = {span.trace_id for span in self.spans}
        return self.trace_ids

    def size_of(self, leaving: Sequence[Span]) -> int:
        """Return the bytes of large spans that leave."""
        return sum(self.large.pop(id(span), 0) for span in leaving) if self.large else 0


class Lot:
    """The latest spans of a kind, and since when none of them is forgotten.

    They are in blocks of as many as there are blocks, so that taking the spans of a trace out costs
    no pass over all: 0.1 us a span with 100,000 kept and one in fifty failing, which was 4.
    """

    def __init__(self, room: int) -> None:
        self.horizon_s = -inf
        self.lost = 0
        """Spans that are forgotten."""
        self.count = 0
        """Of its spans."""
        self._room, self._block = room, max(_BLOCK, isqrt(room))
        self._is_looked_at = room > _MANY
        self._blocks = deque([_Block()])
        self._bytes, self._max_bytes = 0, room * LARGE_BYTES

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Span]:
        for block in self._blocks:
            yield from block.spans

    def room_for(self, spans: Sequence[Span]) -> list[Span]:
        """Return the list to append `spans` to; `count` is to grow then, and `trim` to follow."""
        newest = self._blocks[-1]
        if spans and len(newest.spans) >= self._block:
            if self._is_looked_at:
                newest.look()
            newest = _Block()
            self._blocks.append(newest)
        newest.trace_ids = None
        return newest.spans

    def trim(self, added: Sequence[Span]) -> None:
        """Count the bytes of what was added, and forget the oldest while there is too much."""
        # Written out, as `is_large` would cost 40 ns more for each.
        large = [span for span in added if type(span.tags) is Large or span.logs is not None]
        for span in large:
            size = self._blocks[-1].large[id(span)] = bytes_of(span)
            self._bytes += size
        lost = self.lost
        while self.count > self._room or self._bytes > self._max_bytes:
            self._forget()
        if self.lost > lost:
            for first in self._blocks[0].spans[:1] or added[-1:]:
                self.horizon_s = max(self.horizon_s, first.end_s)

    def _forget(self) -> None:
        """Forget some of the oldest spans: as many as are too many, else the oldest one."""
        while len(self._blocks) > 1 and not self._blocks[0].spans:
            self._blocks.popleft()  # a trace took all of them with it
        first = self._blocks[0]
        if not first.spans:  # so it is the last one
            self.count = self._bytes = 0
            return
        number = min(max(1, self.count - self._room), len(first.spans))
        size = first.size_of(first.spans[:number])
        # No calls: all or nothing, even if a signal handler raises an exception.
        del first.spans[:number]
        self.count -= number
        self.lost += number
        self._bytes -= size
        while len(self._blocks) > 1 and not self._blocks[0].spans:
            self._blocks.popleft()

    def take(self, trace_ids: Set[int]) -> list[Span]:
        """Return the spans of these traces, which are no longer here."""
        found: list[Span] = []
        for block in self._blocks:
            if block.look().isdisjoint(trace_ids):
                continue
            here = [span for span in block.spans if span.trace_id in trace_ids]
            rest = [span for span in block.spans if span.trace_id not in trace_ids]
            number = len(here)
            block.spans, block.trace_ids = rest, None
            self.count -= number
            self._bytes -= block.size_of(here)
            found += here
        return found
