"""New connections: names, addresses, TLS, proxies."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote

from perfwright.llm.wire.connection import Connection

CONNECT_S = 15.0  # a handshake over the slowest of lines; a dead address must not eat the call
RACE_S = 0.25  # what RFC 8305 recommends
ADDRESS_S = 60.0  # how long an address that worked is used before the name is looked up again


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where connections go."""

    host: str
    port: int
    is_tls: bool
    proxy: SplitResult | None = None
    """An HTTP proxy on the way there."""


class Dialer:
    """Opens connections to one server.

    A name is looked up by one caller while the others wait; they and later ones use the address
    that answered first. Else a burst of calls would queue for the few threads that look up names.
    """

    def __init__(self, server: Server, *, context: ssl.SSLContext | None) -> None:
        self._server, self._context = server, context
        self._is_tunnelled = server.proxy is not None and server.is_tls
        self._loop = asyncio.get_running_loop()
        self._address = ""
        self._good_until_s = 0.0
        self._looking_up = asyncio.Lock()
        self._can_race = isinstance(self._loop, asyncio.BaseEventLoop)  # uvloop does not offer it

    async def dial(self, on_lost: Callable[[Connection], None]) -> Connection:
        """Return a new connection.

        Raises:
            OSError: If there is none to be had.
        """
        if self._loop.time() >= self._good_until_s:
            async with self._looking_up:
                if self._loop.time() >= self._good_until_s:
                    return await self._by_name(on_lost)
        try:
            return await self._reach(self._address, on_lost=on_lost)
        except OSError:
            self._good_until_s = 0.0
            return await self._by_name(on_lost)

    async def _by_name(self, on_lost: Callable[[Connection], None]) -> Connection:
        proxy = self._server.proxy
        name = self._server.host if proxy is None else proxy.hostname or ""
        connection = await self._reach(name, on_lost=on_lost)
        self._address = connection.peer
        self._good_until_s = self._loop.time() + ADDRESS_S
        return connection

    async def _reach(self, host: str, *, on_lost: Callable[[Connection], None]) -> Connection:
        server, proxy = self._server, self._server.proxy
        is_tls = server.is_tls and proxy is None
        # Of a name's addresses the next is tried while one is silent. For an address it is left
        # out: asyncio forgets to close a socket when it is cancelled in the last moment of a race.
        is_race = self._can_race and not _is_address(host)
        racing: dict[str, Any] = {"happy_eyeballs_delay": RACE_S} if is_race else {}
        connection: Connection | None = None
        try:
            async with asyncio.timeout(CONNECT_S):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(on_lost),
                    host,
                    server.port if proxy is None else proxy.port or 80,
                    ssl=self._context if is_tls else None,
                    server_hostname=server.host if is_tls else None,
                    **racing,
                )
                if self._is_tunnelled:
                    await self._tunnel(connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, TimeoutError):
                raise ConnectionError(f"no connection within {CONNECT_S:g} s") from error
            raise
        return connection

    async def _tunnel(self, connection: Connection) -> None:
        """Have the proxy pass on what is said, and speak TLS through it."""
        server = self._server
        there = f"[{server.host}]" if ":" in server.host else server.host
        there += f":{server.port}"
        asked = f"CONNECT {there} HTTP/1.1\r\nhost: {there}\r\n{proxy_header(server.proxy)}\r\n"
        answer = connection.ask(asked.encode(), max_body_bytes=0)
        while not answer.has_head:
            await connection.progress()
        if answer.status != 200 or self._context is None:
            raise ConnectionError(f"the proxy refused a tunnel to {there} (HTTP {answer.status})")
        await connection.encrypt(self._context, host=server.host)


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def proxy_header(proxy: SplitResult | None) -> str:
    """Return the line that tells a proxy who is there; empty where its address says nobody."""
    if proxy is None or not proxy.username:
        return ""
    known = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"proxy-authorization: Basic {b64encode(known.encode()).decode()}\r\n"
