"""The sockets: connections with bounded patience, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader

from perfwright.core import Clock
from perfwright.llm.gateway import answers
from perfwright.llm.gateway.descriptors import for_callers, limit
from perfwright.llm.gateway.listening import Acceptor, listen
from perfwright.llm.gateway.problems import Problem
from perfwright.llm.gateway.service import Gateway
from perfwright.llm.gateway.settings import GatewaySettings

logger = logging.getLogger("perfwright.gateway")

_SWEEP_S = 0.5
_TURN_S = 0.02
_LINGER_S = 1.0
"""How long a stopping gateway still takes requests on open connections: one may be on its way."""
_CUT_S = 2.0
_LINGERING_S = 3.0
"""How long a refused body is still read, so that its sender gets to see the refusal."""


class Connection(web.RequestHandler):
    """One caller's connection; it knows since when it waits for what."""

    def __init__(
        self,
        server: GatewayServer,
        now: Callable[[], float],
        *,
        on_end: Callable[[], None],
        **options: Any,
    ) -> None:
        super().__init__(server, **options)
        self._now, self._on_end = now, on_end
        self.is_busy = False
        """A request's headers are complete, and its answer is not."""
        self.partial_since_s: float | None = None
        """When the first byte of an incomplete head came."""
        self.seen_s: float = now()
        """When it last did something."""
        self.stalled_since_s: float | None = None
        """Since when its caller leaves an answer unread, so that no more of it can be sent."""

    def connection_lost(self, exc: BaseException | None) -> None:
        """Leave the place to another."""
        super().connection_lost(exc)
        self._on_end()

    def data_received(self, data: bytes) -> None:
        """Note when a head begins."""
        if not self.is_busy:
            self.seen_s = self._now()
            if self.partial_since_s is None:
                self.partial_since_s = self.seen_s
        super().data_received(data)

    def pause_writing(self) -> None:
        """Note that the caller does not read."""
        self.stalled_since_s = self._now()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that it does again."""
        self.stalled_since_s = None
        super().resume_writing()

    def abort(self) -> None:
        """Close at once, whatever has not been read."""
        if self.transport is not None:
            self.transport.abort()

    def begin(self) -> None:
        """A head is complete."""
        self.is_busy, self.partial_since_s = True, None

    async def finish_response(self, *arguments: Any) -> tuple[web.StreamResponse, bool]:
        """Note when the answer is out."""
        try:
            return await super().finish_response(*arguments)
        finally:
            self.is_busy, self.seen_s = False, self._now()

    def handle_error(  # noqa: PLR0917 - aiohttp's
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or a defect of the gateway, as JSON; the connection ends."""
        if request.writer.output_size > 0:
            raise ConnectionResetError("the answer has begun, so no other can be sent")
        if status >= 500:
            logger.error("a request failed inside the gateway", exc_info=exc)
            message = None
        text = " ".join((message or "internal error; the gateway's log has more").split())
        code = "bad_http" if status < 500 else "internal_error"
        response = answers.problem_response(Problem(status=status, code=code, text=text[:300]))
        response.force_close()
        return response


class GatewayServer(web.Server):
    """Listens, sweeps slow connections out, and drains.

    Args:
        gateway: Answers what is asked.
        settings: Patience and bounds.
        clock: Time and waits.
    """

    def __init__(self, gateway: Gateway, *, settings: GatewaySettings, clock: Clock) -> None:
        super().__init__(gateway.handle, request_factory=self._request, handler_cancellation=True)
        self._gateway, self._settings, self._clock = gateway, settings, clock
        self._acceptor: Acceptor | None = None
        self._is_hurried = False

    def __call__(self) -> Connection:
        """Make what handles one connection."""
        return Connection(
            self,
            self._clock.now,
            on_end=self._ended,
            loop=asyncio.get_running_loop(),
            access_log=None,
            keepalive_timeout=self._settings.idle_timeout_s,
            lingering_time=_LINGERING_S,
            logger=logger,
        )

    async def start(self, *, reuse_port: bool = False) -> int:
        """Listen; returns the port.

        Raises:
            OSError: If the address cannot be had.
        """
        sockets = listen(self._settings.host, self._settings.port, reuse_port=reuse_port)
        places = self._settings.max_connections or for_callers(limit())
        self._acceptor = Acceptor(sockets, places=places, make=self)
        self._acceptor.start()
        return int(sockets[0].getsockname()[1])

    async def sweep(self) -> None:
        """Close connections whose caller is too slow, for as long as it runs."""
        while True:
            await self._clock.sleep(_SWEEP_S)
            now_s = self._clock.now()
            connections = self._open()
            self._gateway.counts.connections = len(connections)
            for connection in connections:
                if self._is_too_slow(connection, now_s):
                    self._gateway.counts.slow_connections += 1
                    connection.abort()
            if self._acceptor is not None and self._acceptor.is_full:
                self._close_idle(quiet_s=now_s - _LINGER_S)
                self._acceptor.start()  # descriptors may be free again, whoever had them

    async def drain(self, timeout_s: float) -> int:
        """Stop accepting, let what has begun be finished, close the rest; returns what was cut."""
        self._gateway.is_draining = True
        began_s = self._clock.now()
        if self._acceptor is not None:
            await self._acceptor.close()
        while self._open() and not self._is_hurried and self._clock.now() < began_s + timeout_s:
            now_s = self._clock.now()
            if now_s - began_s > _LINGER_S:
                self._close_idle(quiet_s=now_s - _LINGER_S)
            await self._clock.sleep(_TURN_S)
        return await self._cut()

    def hurry(self) -> None:
        """End a drain at once."""
        self._is_hurried = True

    def _ended(self) -> None:
        if self._acceptor is not None:
            self._acceptor.release()

    def _close_idle(self, *, quiet_s: float) -> None:
        for connection in self._open():
            if not connection.is_busy and connection.seen_s < quiet_s:
                connection.force_close()

    async def _cut(self) -> int:
        busy = sum(connection.is_busy for connection in self._open())
        for connection in self._open():
            connection.abort()
        until_s = self._clock.now() + _CUT_S
        while self._open() and self._clock.now() < until_s:
            await self._clock.sleep(_TURN_S)
        return busy

    def _open(self) -> list[Connection]:
        return [each for each in self.connections if isinstance(each, Connection)]

    def _is_too_slow(self, connection: Connection, now_s: float) -> bool:
        patience = self._settings
        asking_s, reading_s = connection.partial_since_s, connection.stalled_since_s
        return (asking_s is not None and now_s - asking_s > patience.header_timeout_s) or (
            reading_s is not None and now_s - reading_s > patience.write_timeout_s
        )

    def _request(  # noqa: PLR0917 - aiohttp's
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        if isinstance(protocol, Connection):
            protocol.begin()
        return web.BaseRequest(
            message,
            payload,
            protocol,
            writer,
            task,
            asyncio.get_running_loop(),
            client_max_size=self._settings.max_body_bytes,
        )
