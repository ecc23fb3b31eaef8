"""One connection to a server: a request after the other, each with its answer.

aiohttp's client costs some 80 us of processor per call, several times of what this does: for each
it builds a request, a response and a stream, and starts a task that writes the body. All that a
provider needs is one POST after the other on a connection that stays open.
"""

from __future__ import annotations

import asyncio
import select
import ssl
import sys
import termios
from collections.abc import Callable
from fcntl import ioctl
from typing import cast

from perfwright.llm.wire.http1 import CutOffError, MalformedError, ResponseParser

HIGH_WATER_BYTES = 1 << 20  # of a stream that nobody reads; then the provider has to wait


class Connection(asyncio.Protocol):
    """One connection: at most one request at a time."""

    def __init__(self, on_lost: Callable[[Connection], None]) -> None:
        self._on_lost = on_lost
        self._transport: asyncio.Transport
        self._socket_id = -1
        self._arrivals = select.poll()
        self._parser: ResponseParser | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._needs_all = False
        self._is_paused = False
        self._error: Exception | None = None
        self.is_lost = False
        self.is_unheard = False
        """The server had closed it before the request came: nothing of it was carried out."""
        self.idle_since_s = 0.0
        """In the loop's time; 0 before its first rest."""

    @property
    def is_open(self) -> bool:
        """A request can be sent."""
        return not self.is_lost and not self._transport.is_closing()

    @property
    def is_silent(self) -> bool:
        """Nothing has come unasked, such as the server's close, that the loop has not read yet."""
        return not self._arrivals.poll(0)  # 1 us

    @property
    def peer(self) -> str:
        """The address that it goes to."""
        return str(self._transport.get_extra_info("peername")[0])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)
        self._socket_id = transport.get_extra_info("socket").fileno()
        self._arrivals.register(self._socket_id, select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        parser = self._parser
        if parser is None:  # an answer to nothing, such as "idle for too long"
            self.close()
            return
        try:
            parser.feed(data)
        except MalformedError as error:
            self._error = error
            self.close()
        if parser.is_done or not self._needs_all or self._error is not None:
            if self._waiter is not None:
                self._wake()
            elif parser.waiting_bytes > HIGH_WATER_BYTES and not (
                parser.is_done or self._is_paused
            ):
                self._is_paused = True
                self._transport.pause_reading()

    def eof_received(self) -> None:
        """Called by the event loop, which then closes the connection."""
        parser = self._parser
        is_unanswered = parser is not None and not parser.is_begun
        self.is_unheard = is_unanswered and self.idle_since_s > 0 and self._has_unsent()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self.is_lost = True
        if self._parser is not None and self._error is None:
            try:
                self._parser.feed_eof()
            except (CutOffError, MalformedError) as error:
                self._error = error
                error.__cause__ = exc
        if self._waiter is not None:
            self._wake()
        self._on_lost(self)

    def ask(self, data: bytes, *, max_body_bytes: int) -> ResponseParser:
        """Send a request; the answer comes to what is returned, `until_...` wait for it."""
        self._parser = parser = ResponseParser(max_body_bytes=max_body_bytes)
        self._error = None
        self._transport.write(data)
        return parser

    async def progress(self, *, needs_all: bool = False) -> None:
        """Wait until more has come, or all of it.

        Raises:
            ConnectionError: If nothing more comes.
            MalformedError: If it is no HTTP/1.1.
        """
        if self._error is not None:
            raise self._error
        if self.is_lost or self._parser is None:
            raise CutOffError("the connection was let go", is_begun=True)
        self._needs_all = needs_all
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        if self._error is not None:
            raise self._error

    def rest(self) -> bool:
        """The answer is done with; tells whether another request may be sent."""
        parser, self._parser = self._parser, None
        return parser is not None and parser.is_done and parser.is_reusable and self.is_open

    def close(self) -> None:
        """End it at once: what the server did not take is dropped, and no TLS good-bye awaited."""
        self._transport.abort()

    async def encrypt(self, context: ssl.SSLContext, *, host: str) -> None:
        """Speak TLS from here on, inside a proxy's tunnel."""
        self._parser = None
        loop = asyncio.get_running_loop()
        transport = await loop.start_tls(self._transport, self, context, server_hostname=host)
        if transport is None:
            raise ConnectionResetError("the proxy closed the tunnel")
        self._transport = transport

    def _has_unsent(self) -> bool:
        """Tell whether the server's system lacks a part of the request.

        Whatever a server sends also says how much it has received. So if its close leaves a part
        of the request unconfirmed, then its program closed without having read the request.
        """
        if self._transport.get_write_buffer_size():
            return True
        unconfirmed = ioctl(self._socket_id, termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(unconfirmed, sys.byteorder) > 0

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
