"""A gateway's life: it listens, serves until it is told to stop, and ends when its calls have."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from perfwright.core import Clock
from perfwright.llm.gateway.server import GatewayServer
from perfwright.llm.gateway.service import Gateway
from perfwright.llm.gateway.settings import GatewaySettings

_WATCH_S = 0.5


@dataclass(slots=True)
class Stop:
    """Asked once it drains; asked again it ends at once."""

    _asked: asyncio.Event = field(default_factory=asyncio.Event)
    _at_once: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self) -> None:
        """Ask it to stop."""
        (self._at_once if self._asked.is_set() else self._asked).set()

    def on_signals(self) -> None:
        """Be asked by SIGTERM and SIGINT, from within a running loop of the main thread."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self.ask)

    @property
    def was_hurried(self) -> bool:
        """Whether it was asked again."""
        return self._at_once.is_set()

    async def asked(self) -> None:
        """Wait until it is asked."""
        await self._asked.wait()

    async def asked_again(self) -> None:
        """Wait until it is asked for the second time."""
        await self._at_once.wait()


async def serve(
    gateway: Gateway,
    *,
    settings: GatewaySettings,
    clock: Clock,
    stop: Stop,
    on_ready: Callable[[int], None] = lambda _: None,
    parent: int | None = None,
) -> int:
    """Serve until `stop` is asked.

    Args:
        gateway: Answers.
        settings: Where it listens, and its patience.
        clock: Time and waits.
        stop: Ends it.
        on_ready: Called with the port when it listens.
        parent: Of a worker, which shares its port with others: it stops when this process ends.

    Returns:
        How many calls were cut because they did not end in time.

    Raises:
        OSError: If the address cannot be had.
    """
    server = GatewayServer(gateway, settings=settings, clock=clock)
    on_ready(await server.start(reuse_port=parent is not None))
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(server.sweep()), group.create_task(_hurry(stop, server))]
        if parent is not None:
            beside.append(group.create_task(_stop_with(parent, stop, clock=clock)))
        await stop.asked()
        cut = await server.drain(settings.drain_timeout_s)
        for task in beside:
            task.cancel()
    return cut


async def _stop_with(parent: int, stop: Stop, *, clock: Clock) -> None:
    """Stop when the parent is gone: a worker nobody commands would go on with an old setup."""
    while os.getppid() == parent:
        await clock.sleep(_WATCH_S)
    stop.ask()


async def _hurry(stop: Stop, server: GatewayServer) -> None:
    await stop.asked_again()
    server.hurry()
