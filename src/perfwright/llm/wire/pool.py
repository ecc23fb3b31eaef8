"""Connections to one server, kept open between requests."""

from __future__ import annotations

import asyncio
import ssl

from perfwright.llm.wire.connection import Connection
from perfwright.llm.wire.dialling import Dialer, Server
from perfwright.llm.wire.http1 import CutOffError, ResponseParser

IDLE_S = 30.0  # providers' load balancers keep an idle connection for a minute or more


class Answer:
    """A response whose body is read as it comes."""

    __slots__ = ("_connection", "_is_released", "_parser", "_pool", "headers", "status")

    def __init__(self, connection: Connection, parser: ResponseParser, *, pool: Pool) -> None:
        self._connection, self._parser, self._pool = connection, parser, pool
        self._is_released = False
        self.status = parser.status
        self.headers = parser.headers

    @property
    def is_read(self) -> bool:
        """All of it has come and was taken."""
        return self._parser.is_done and not self._parser.waiting_bytes

    async def read_some(self) -> bytes:
        """Return what has come, waiting for it if there is nothing; empty at the end."""
        parser = self._parser
        while not parser.waiting_bytes and not parser.is_done:
            await self._connection.progress()
        return parser.take()

    async def read(self) -> bytes:
        """Return all that was not read yet."""
        if not self._parser.is_done:
            await self._connection.progress(needs_all=True)
        return self._parser.take()

    async def aclose(self) -> None:
        """Let go of the connection: it is used again if the answer was read to its end."""
        if not self._is_released:
            self._is_released = True
            self._pool.release(self._connection)


class Pool:
    """The connections of one event loop to one server.

    Args:
        server: Where they go.
        max_connections: At once; further requests wait.
        max_body_bytes: Longer answers are refused.
        context: For TLS; None for a server that speaks plain HTTP.
    """

    def __init__(
        self,
        server: Server,
        *,
        max_connections: int,
        max_body_bytes: int,
        context: ssl.SSLContext | None,
    ) -> None:
        self._max_body_bytes = max_body_bytes
        self._loop = asyncio.get_running_loop()
        self._dialer = Dialer(server, context=context)
        self._free = asyncio.Semaphore(max_connections)
        self._idle: dict[Connection, None] = {}
        """The one that has rested for longest comes first."""
        self._ageing: asyncio.TimerHandle | None = None
        self._all: set[Connection] = set()
        self._is_closed = False

    async def whole(self, data: bytes) -> ResponseParser:
        """Send a request and return its answer once all of it is there."""
        connection = await self._take()
        try:
            return await self._whole(connection, data)
        except CutOffError:
            if not connection.is_unheard:
                raise
        return await self._whole(await self._take(is_new=True), data)

    async def begun(self, data: bytes) -> Answer:
        """Send a request and return its answer once the head is there; its taker releases it."""
        connection = await self._take()
        try:
            return await self._begun(connection, data)
        except CutOffError:
            if not connection.is_unheard:
                raise
        return await self._begun(await self._take(is_new=True), data)

    def release(self, connection: Connection) -> None:
        """Take a connection back."""
        if connection.rest() and not self._is_closed:
            self._keep(connection)
        else:
            connection.close()
        self._free.release()

    async def warm(self, connections: int) -> int:
        """Open connections until there are so many; returns how many there are."""
        missing = connections - len(self._all)
        async with asyncio.TaskGroup() as group:
            for _ in range(missing):
                group.create_task(self._warm_one())
        return len(self._all)

    def close(self) -> None:
        """End all connections, also those in use."""
        self._is_closed = True
        if self._ageing is not None:
            self._ageing.cancel()
        for connection in list(self._all):
            connection.close()

    async def _warm_one(self) -> None:
        try:
            connection = await self._dialled()
        except OSError:
            return  # the count says so
        if self._is_closed:
            connection.close()
        else:
            self._keep(connection)

    async def _whole(self, connection: Connection, data: bytes) -> ResponseParser:
        try:
            parser = connection.ask(data, max_body_bytes=self._max_body_bytes)
            await connection.progress(needs_all=True)
            return parser
        finally:
            self.release(connection)

    async def _begun(self, connection: Connection, data: bytes) -> Answer:
        try:
            parser = connection.ask(data, max_body_bytes=self._max_body_bytes)
            while not parser.has_head:
                await connection.progress()
            return Answer(connection, parser, pool=self)
        except BaseException:
            self.release(connection)
            raise

    async def _take(self, *, is_new: bool = False) -> Connection:
        await self._free.acquire()
        oldest_s = self._loop.time() - IDLE_S
        while self._idle and not is_new:
            connection, _ = self._idle.popitem()  # the one used last: the others may age and go
            is_young = connection.idle_since_s > oldest_s
            if is_young and connection.is_open and connection.is_silent:
                return connection
            connection.close()
        try:
            return await self._dialled()
        except BaseException:
            self._free.release()
            raise

    async def _dialled(self) -> Connection:
        connection = await self._dialer.dial(self._lost)
        self._all.add(connection)
        if connection.is_lost:
            self._all.discard(connection)
        return connection

    def _lost(self, connection: Connection) -> None:
        self._all.discard(connection)
        self._idle.pop(connection, None)

    def _keep(self, connection: Connection) -> None:
        connection.idle_since_s = self._loop.time()
        self._idle[connection] = None
        if self._ageing is None:
            self._ageing = self._loop.call_later(IDLE_S, self._close_aged)

    def _close_aged(self) -> None:
        """Close what nobody used for long, and come back when the next one may be due."""
        self._ageing = None
        now_s = self._loop.time()
        for connection in list(self._idle):
            left_s = connection.idle_since_s + IDLE_S - now_s
            if left_s > 0:
                self._ageing = self._loop.call_later(left_s, self._close_aged)
                return
            del self._idle[connection]
            connection.close()
