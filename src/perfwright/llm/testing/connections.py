"""As much of HTTP/1.1 as clients of language models use, one call at a time per connection.

A server of its own, because it must do what real ones never offer: reset, cut and stay silent; and
because it shares its CPUs with the clients that are measured against it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import msgspec

_MAX_HEAD_BYTES = 64 * 1024
_REASONS = {status.value: status.phrase for status in HTTPStatus} | {529: "Overloaded"}
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: closing sends RST


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, read to its end."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


class Connection(asyncio.Protocol):
    """A client's connection: hands over one request, and the next one when that is answered."""

    def __init__(
        self,
        handle: Callable[[Connection, HttpRequest], None],
        *,
        on_closed: Callable[[Connection], None],
    ) -> None:
        self._handle, self._on_closed = handle, on_closed
        self._buffer = bytearray()
        self._is_busy = False
        self._closes = False
        self._transport: asyncio.Transport
        self.on_gone: Callable[[], None] | None = None
        """Called when the client leaves before it has its answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever works for this client that it is gone."""
        if self._is_busy and self.on_gone is not None:
            self.on_gone()
        self._is_busy = True  # nothing is read from here on
        self._on_closed(self)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._buffer += data
        self._read()

    def respond(
        self, status: int, body: bytes, *, headers: bytes = b"", kind: str = "application/json"
    ) -> None:
        """Send a whole response."""
        self._transport.write(
            b"%s\r\ncontent-length: %d\r\n%s\r\n%s"
            % (_head(status, kind), len(body), headers, body)
        )
        self._done()

    def start_stream(self, *, headers: bytes = b"") -> None:
        """Send the head of a stream of events."""
        head = _head(200, "text/event-stream; charset=utf-8")
        self._transport.write(b"%s\r\ntransfer-encoding: chunked\r\n%s\r\n" % (head, headers))

    def write(self, events: list[bytes]) -> None:
        """Send events, each as a chunk."""
        self._transport.write(b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events))

    def end_stream(self) -> None:
        """Send the end of a stream."""
        self._transport.write(b"0\r\n\r\n")
        self._done()

    def reset(self) -> None:
        """Break the connection off; what was not sent yet is lost."""
        self.on_gone = None
        raw: socket.socket | None = self._transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def _done(self) -> None:
        self.on_gone = None
        self._is_busy = False
        if self._closes:
            self._transport.close()
        elif self._buffer:
            asyncio.get_running_loop().call_soon(self._read)

    def _read(self) -> None:
        """Hand over the next request if it is here and its turn has come."""
        if self._is_busy or self._transport.is_closing():
            return
        try:
            request = self._parse()
        except ValueError as error:
            self._closes = True
            body = {"error": {"message": str(error), "type": "invalid_request_error"}}
            self.respond(400, msgspec.json.encode(body))
            return
        if request is not None:
            self._is_busy = True
            self._closes = request.headers.get("connection", "").lower() == "close"
            self._handle(self, request)

    def _parse(self) -> HttpRequest | None:
        """Take one request from the buffer; None until all of it has come."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD_BYTES:
                raise ValueError("the head of the request is too long")
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body, after = self._body(headers, end + 4)
        if body is None:
            return None
        del self._buffer[:after]
        path, _, query = target.partition("?")
        return HttpRequest(method, path, query, headers, body)

    def _body(self, headers: dict[str, str], start: int) -> tuple[bytes | None, int]:
        """Return the body and where the next request starts; None until all of it has come."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return _chunked(self._buffer, start)
        after = start + _size(headers.get("content-length", "0"), base=10)
        if len(self._buffer) >= after:
            return bytes(self._buffer[start:after]), after
        if headers.get("expect", "").lower() == "100-continue" and len(self._buffer) == start:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None, 0


def _head(status: int, kind: str) -> bytes:
    return f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\ncontent-type: {kind}".encode()


def _chunked(buffer: bytearray, at: int) -> tuple[bytes | None, int]:
    parts: list[bytes] = []
    while (line := buffer.find(b"\r\n", at)) >= 0:
        size = _size(buffer[at:line].split(b";")[0].decode("latin-1"), base=16)
        at = line + 2 + size + 2
        if len(buffer) < at:
            break
        if size == 0:
            return b"".join(parts), at
        parts.append(bytes(buffer[at - size - 2 : at - 2]))
    return None, 0


def _size(text: str, *, base: int) -> int:
    size = int(text, base)
    if size < 0:
        raise ValueError("a size cannot be negative")
    return size
