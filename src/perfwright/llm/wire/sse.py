"""Server-sent events out of bytes that may be cut anywhere.

Source: the WHATWG HTML standard, section 9.2 "Server-sent events". `id` and `retry` are read over,
since a completion cannot be resumed.
"""

from __future__ import annotations

from typing import NamedTuple

from perfwright.core import BadAnswerError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event of a stream."""

    name: str
    """Of its `event:` line; empty without one."""
    data: bytes
    """Its `data:` lines, joined by line feeds."""
    raw: bytes
    """The event as it came, without the blank line that ends it; its line ends are line feeds."""


class EventParser:
    """Feed it chunks as they come; it returns the events that they complete.

    Whatever the chunks, each byte is copied and searched a bounded number of times.

    Args:
        max_event_bytes: A longer event is refused, so that a provider that never ends one cannot
            fill the memory.
        endpoint: Name for the error's text.
    """

    __slots__ = ("_after_cr", "_endpoint", "_is_start", "_max_bytes", "_parts", "_size")

    def __init__(self, *, max_event_bytes: int = 64 << 20, endpoint: str = "default") -> None:
        self._parts: list[bytes] = []
        """Of the event that is not complete; joined only once its end has come."""
        self._size = 0
        self._after_cr = False
        self._is_start = True
        self._max_bytes, self._endpoint = max_event_bytes, endpoint

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that `chunk` completes, in their order.

        Raises:
            BadAnswerError: If an event is longer than what is allowed.
        """
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_line_feeds(chunk)
        if b"\n\n" not in chunk and not (chunk[:1] == b"\n" and self._ends_in_line_feed()):
            self._keep(chunk)
            return []
        if self._parts:
            chunk = b"".join((*self._parts, chunk))
            self._parts.clear()
            self._size = 0
        blocks = chunk.split(b"\n\n")
        self._keep(blocks.pop())
        return self._events(blocks)

    def finish(self) -> list[Event]:
        """Return what came after the last blank line: an event whose end was not sent, or none."""
        rest = b"".join(self._parts)
        self._parts.clear()
        return self._events([rest])

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        """Replace the two other line ends; a pair may have been cut between two chunks."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        self._after_cr = self._after_cr or chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _ends_in_line_feed(self) -> bool:
        return bool(self._parts) and self._parts[-1].endswith(b"\n")

    def _keep(self, part: bytes) -> None:
        if not part:
            return
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._max_bytes:
            raise BadAnswerError(
                endpoint=self._endpoint,
                problem=f"an event of its stream is longer than {self._max_bytes:,} bytes",
            )

    def _events(self, blocks: list[bytes]) -> list[Event]:
        if self._is_start and blocks:
            blocks[0] = blocks[0].removeprefix(_BYTE_ORDER_MARK)
            self._is_start = False
        found = []
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:  # nearly all of them
                found.append(Event("", block[6:], block))
            elif (event := _parsed(block)) is not None:
                found.append(event)
        return found


def _parsed(block: bytes) -> Event | None:
    """The event of a block of lines; None if it holds comments only."""
    name, data = b"", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    if not data:
        return None
    return Event(name.decode("utf-8", "replace"), b"\n".join(data), block.strip(b"\n"))
