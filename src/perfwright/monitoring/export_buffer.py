"""Spans that wait for their export, bounded by their number and by their bytes."""

from __future__ import annotations

from collections.abc import Sequence

from perfwright.monitoring._lots import LARGE_BYTES, bytes_of, is_large
from perfwright.monitoring.spans import Span
from perfwright.monitoring.tags import Large


class ExportBuffer:
    """First in, first out; not for several threads: its queue holds a lock.

    Args:
        max_spans: Also bounds the bytes of large ones, to `LARGE_BYTES` for each of these.
    """

    def __init__(self, max_spans: int) -> None:
        self.max_spans = max_spans
        self._spans: list[Span] = []
        self._large: dict[int, int] = {}  # bytes of the large ones of these, by `id`
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._spans)

    def put(self, spans: Sequence[Span], *, taken: int) -> int:
        """Take the first spans there is room for; returns how many of all.

        Args:
            spans: In the order in which they are to leave.
            taken: Spans that left, but still need their room.
        """
        fitting = self._fitting(spans[: max(0, self.max_spans - taken - len(self._spans))])
        self._spans += fitting
        return len(fitting)

    def take(self, most: int) -> list[Span]:
        """Return the first spans, at most so many, and let go of them."""
        batch = self._spans[:most]
        del self._spans[: len(batch)]
        if self._large:
            self._bytes -= sum(self._large.pop(id(span), 0) for span in batch)
        return batch

    def clear(self) -> int:
        """Let go of all; returns how many these were."""
        return len(self.take(len(self._spans)))

    def _fitting(self, spans: Sequence[Span]) -> Sequence[Span]:
        """Return those for whose bytes there is room, which is so for at least one."""
        # Written out, as `is_large` would cost 40 ns more for each.
        if not [1 for span in spans if type(span.tags) is Large or span.logs is not None]:
            return spans
        max_bytes = self.max_spans * LARGE_BYTES
        fitting: list[Span] = []
        for span in spans:
            size = bytes_of(span) if is_large(span) else 0
            if not size or not self._bytes or self._bytes + size <= max_bytes:
                fitting.append(span)
                self._large[id(span)] = size
                self._bytes += size
        return fitting
