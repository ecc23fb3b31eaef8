"""The simulated provider's process: a port for clients, lines of JSON for whoever started it."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from perfwright.core import PerfwrightError, SystemClock
from perfwright.llm.testing.service import Service
from perfwright.llm.testing.settings import ProviderSettings


class ProviderServer:
    """Listens, unless the provider is down and its outage is one where nobody listens."""

    def __init__(self, settings: ProviderSettings, *, host: str, port: int) -> None:
        self.service = Service(settings, clock=SystemClock())
        self._address = (host, port)
        self._socket = self._bound()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens, or will again."""
        return self._address[1]

    async def follow(self) -> None:
        """Listen or not, as the settings have it."""
        settings = self.service.settings
        refuses = settings.down and settings.outage == "refuse"
        if refuses and self._server is not None:
            self._server.close()
            self._server = None
            self.service.disconnect()
            self._socket = self._bound()
        elif not refuses and self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                self.service.connect, sock=self._socket, backlog=4096
            )

    async def command(self, line: bytes) -> dict[str, Any]:
        """Do what one line asks: `{"set": {...}}`, `{"counts": true}` or `{"reset": true}`."""
        try:
            order = msgspec.json.decode(line)
            self.service.change(order.get("set", {}))
        except (PerfwrightError, msgspec.DecodeError, AttributeError, TypeError) as error:
            return {"error": str(error)}
        await self.follow()
        answer: dict[str, Any] = (
            {"counts": self.service.tally.as_dict()} if order.get("counts") else {}
        )
        if order.get("reset"):
            self.service.reset_counts()
        return answer

    def _bound(self) -> socket.socket:
        """Hold the port: while nobody listens on it, no other program may be given it."""
        # asyncio turns off Nagle's delay, 40 ms per event, only where the protocol is named.
        held = socket.socket(proto=socket.IPPROTO_TCP)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(self._address)
        self._address = held.getsockname()
        return held


async def serve(settings: ProviderSettings, *, host: str, port: int, ends_with_stdin: bool) -> None:
    """Serve until cancelled, or until standard input ends if it is to end with it."""
    server = ProviderServer(settings, host=host, port=port)
    await server.follow()
    _say({"port": server.port, "base_url": f"http://{host}:{server.port}/v1"})
    async for line in _commands():
        _say(await server.command(line))
    if not ends_with_stdin:
        await asyncio.Event().wait()


async def _commands() -> AsyncIterator[bytes]:
    """Yield the lines of standard input; a file, or nothing at all, gives no orders."""
    mode = os.fstat(0).st_mode if sys.stdin else 0
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(0)):
        return
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        yield line


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    sys.stdout.flush()
