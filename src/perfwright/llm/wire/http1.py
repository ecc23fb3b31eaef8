"""HTTP/1.1 answers out of bytes that may be cut anywhere: pure.

Source: RFC 9112, sections 4 to 7. What it leaves open is refused: a body whose length two headers
tell differently may be an attack, and is at least a broken server.
"""

from __future__ import annotations

import re
import zlib
from typing import Protocol

MAX_HEAD_BYTES = 64 << 10
_STATUS_LINE = re.compile(r"HTTP/1\.[0-9] ([1-9][0-9]{2})(?: |\Z)")
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")


class MalformedError(ValueError):
    """The bytes are not what HTTP/1.1 allows, or more than what is allowed here."""


class CutOffError(ConnectionError):
    """The connection ended before the answer did."""

    def __init__(self, problem: str, *, is_begun: bool) -> None:
        self.is_begun = is_begun
        super().__init__(problem)


class ResponseParser:
    """One response: feed it bytes, look at what it has.

    Args:
        max_body_bytes: A longer body, unpacked, is refused.
    """

    __slots__ = (
        "_body",
        "_decoder",
        "_framing",
        "_left",
        "_max_body_bytes",
        "_rest",
        "_size",
        "has_head",
        "headers",
        "is_done",
        "is_reusable",
        "status",
    )

    def __init__(self, *, max_body_bytes: int) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        """Names in lower case; values of one name are joined by commas."""
        self.has_head = False
        self.is_done = False
        self.is_reusable = False
        """The connection can carry another request once this answer is done."""
        self._rest = b""
        self._body: list[bytes] = []
        self._size = 0
        self._max_body_bytes = max_body_bytes
        self._framing: _Framing | None = None
        self._left = 0
        """Of a body of known length, what has not come."""
        self._decoder: _Decoder | None = None

    def feed(self, data: bytes) -> None:
        """Take what has come.

        Raises:
            MalformedError: If it is no HTTP/1.1, or too much.
        """
        if self.is_done:
            self.is_reusable = False  # nobody asked for it: what belongs to which is unknown
            return
        if not self.has_head:
            data = self._read_heads(self._rest + data if self._rest else data)
            if not self.has_head:
                return
        if self._framing is not None:
            self._keep(self._framing.feed(data))
            if self._framing.is_done:
                self.is_reusable = self.is_reusable and not self._framing.has_rest
                self._end()
            return
        taken = data if len(data) <= self._left else data[: self._left]
        self._left -= len(taken)
        self._keep(taken)
        if not self._left:
            self.is_reusable = self.is_reusable and len(taken) == len(data)
            self._end()

    def feed_eof(self) -> None:
        """The connection has ended: so has a body that tells no length.

        Raises:
            CutOffError: If something of the answer is missing.
        """
        self.is_reusable = False
        if self.is_done:
            return
        if isinstance(self._framing, _UntilTheEnd):
            self._end()
            return
        if not self.is_begun:
            raise CutOffError("the connection was closed before an answer", is_begun=False)
        raise CutOffError("the connection was closed within it", is_begun=True)

    def take(self) -> bytes:
        """Return what there is of the body and was not taken yet."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        self._size = 0
        return body

    @property
    def is_begun(self) -> bool:
        """Something of the answer has come."""
        return self.status != 0 or bool(self._rest)

    @property
    def waiting_bytes(self) -> int:
        """How much of the body nobody has taken."""
        return self._size

    def _read_heads(self, data: bytes) -> bytes:
        """Read the head, over interim ones (1xx), and return what follows it."""
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if len(data) > MAX_HEAD_BYTES:
                    raise MalformedError(f"its headers are longer than {MAX_HEAD_BYTES:,} bytes")
                if not b"HTTP/1.".startswith(data[:7]):
                    raise MalformedError(f"it begins with {data[:20]!r}, which is no HTTP/1.1")
                if b"\n\n" in data:
                    raise MalformedError("the lines of its head end without a carriage return")
                self._rest = data
                return b""
            self._read_head(data[:end].decode("latin-1"))
            data = data[end + 4 :]
            if self.status >= 200:
                self._rest = b""
                self.has_head = True
                self._choose_framing()
                return data

    def _read_head(self, head: str) -> None:
        lines = head.split("\r\n")
        found = _STATUS_LINE.match(head)
        if found is None:
            raise MalformedError(f"it begins with {lines[0][:20]!r}, which is no HTTP/1.1")
        self.status = int(found[1])
        if self.status == 101:
            raise MalformedError("it changes to another protocol, which nobody asked for")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name.strip() != name:
                raise MalformedError("one of its headers has no name")
            name = name.lower()
            value = value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.headers = headers
        wish = headers.get("connection", "").lower()
        self.is_reusable = "close" not in wish and (head[7] == "1" or "keep-alive" in wish)

    def _choose_framing(self) -> None:
        """Find out where the body ends."""
        headers = self.headers
        length = headers.get("content-length")
        if self.status in (204, 304):
            self._end()
            return
        if "content-encoding" in headers:
            self._decoder = _decoder_for(headers["content-encoding"], limit=self._max_body_bytes)
        if (coding := headers.get("transfer-encoding")) is not None:
            if coding.lower() != "chunked":
                raise MalformedError(f"its transfer-encoding is {coding[:40]!r}")
            self._framing = _Chunks()
            self.is_reusable = self.is_reusable and length is None
        elif length is None:
            self._framing = _UntilTheEnd()
        else:
            self._left = _length(length)
            if self._left > self._max_body_bytes:
                raise MalformedError(f"its body has {self._left:,} bytes")

    def _keep(self, part: bytes) -> None:
        if self._decoder is not None:
            part = self._decoder.feed(part)
        if part:
            self._body.append(part)
            self._size += len(part)
            if self._size > self._max_body_bytes:
                raise MalformedError(f"its body has more than {self._max_body_bytes:,} bytes")

    def _end(self) -> None:
        if self._decoder is not None and not self._decoder.is_complete:
            raise MalformedError("its packed body is not complete")
        self.is_done = True


class _Framing(Protocol):
    """Tells a body from what surrounds it."""

    is_done: bool
    has_rest: bool

    def feed(self, data: bytes) -> bytes:
        """Return the part of `data` that belongs to the body."""


class _UntilTheEnd:
    """A body that ends with the connection."""

    is_done = False
    has_rest = False

    def feed(self, data: bytes) -> bytes:
        return data


class _Chunks:
    """A chunked body. Trailers are read over."""

    __slots__ = ("_is_last", "_left", "_rest", "has_rest", "is_done")

    def __init__(self) -> None:
        self._rest = b""
        self._left = -1
        """Of the chunk that is coming, its line end included; -1 before its size is known."""
        self._is_last = False
        self.is_done = False
        self.has_rest = False

    def feed(self, data: bytes) -> bytes:
        parts = []
        if self._rest:
            data, self._rest = self._rest + data, b""
        position = 0
        while position < len(data) and not self.is_done:
            if self._left < 0:
                line_end = data.find(b"\r\n", position)
                if line_end < 0:
                    self._wait_for_line(data[position:])
                    break
                self._read_line(data[position:line_end])
                position = line_end + 2
                continue
            taken = data[position : position + self._left]
            position += len(taken)
            parts.append(self._without_line_end(taken))
        self.has_rest = self.is_done and position < len(data)
        return b"".join(parts)

    def _wait_for_line(self, begun: bytes) -> None:
        if len(begun) > MAX_HEAD_BYTES:
            raise MalformedError("the size of one of its chunks has no end")
        self._rest = begun

    def _read_line(self, line: bytes) -> None:
        if self._is_last:
            self.is_done = not line
            return
        size = line.partition(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(size):
            raise MalformedError("one of its chunks has no size")
        self._left = int(size, 16) + 2
        if self._left == 2:
            self._is_last, self._left = True, -1

    def _without_line_end(self, taken: bytes) -> bytes:
        """Cut off what belongs to the line end after the chunk, which may come byte by byte."""
        after = self._left - len(taken)
        end = taken[max(0, self._left - 2) :]
        if end != b"\r\n"[2 - min(2, self._left) :][: len(end)]:
            raise MalformedError("one of its chunks is longer than its size")
        self._left = after or -1
        return taken[: len(taken) - len(end)]


_GZIP = 0x1F
"""What each member of a gzip stream begins with, and nothing else can."""


class _Decoder:
    """Unpacks gzip, also of several members, and zlib, never much more than a bound.

    Args:
        limit: Of bytes; nothing is unpacked once a call has given more.
        may_be_bare: Some servers take "deflate" to mean zlib's format without its frame.
    """

    def __init__(self, *, limit: int, may_be_bare: bool) -> None:
        self._unpack: zlib._Decompress | None = None
        self._limit, self._may_be_bare = limit, may_be_bare

    @property
    def is_complete(self) -> bool:
        return self._unpack is None or self._unpack.eof

    def feed(self, data: bytes) -> bytes:
        parts: list[bytes] = []
        left = self._limit + 1
        try:
            while data and left > 0:
                if self._unpack is None or (self._unpack.eof and data[0] == _GZIP):
                    self._unpack = zlib.decompressobj(self._format_of(data[0]))
                elif self._unpack.eof:
                    break  # padding
                parts.append(self._unpack.decompress(data, left))
                left -= len(parts[-1])
                data = self._unpack.unused_data
        except zlib.error as error:
            raise MalformedError(f"its body cannot be unpacked ({error})") from error
        return b"".join(parts)

    def _format_of(self, first: int) -> int:
        is_framed = first == _GZIP or first & 0x0F == zlib.DEFLATED
        return -zlib.MAX_WBITS if self._may_be_bare and not is_framed else zlib.MAX_WBITS | 32


def _decoder_for(coding: str, *, limit: int) -> _Decoder | None:
    match coding.lower():
        case "identity" | "":
            return None
        case "gzip" | "x-gzip" | "deflate" as known:
            return _Decoder(limit=limit, may_be_bare=known == "deflate")
        case other:
            raise MalformedError(f"its body is packed as {other[:20]!r}, which was not asked for")


def _length(text: str) -> int:
    """A content-length; the same value twice is one, two values are none."""
    values = {part.strip() for part in text.split(",")}
    value = values.pop()
    if values or not (value.isascii() and value.isdigit()) or len(value) > 19:
        raise MalformedError(f"its content-length is {text[:40]!r}")
    return int(value)
