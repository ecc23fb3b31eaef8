"""A receiver in a thread of its own, for programs without an event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from perfwright.monitoring.otlp.receiver import OtlpReceiver

_PATIENCE_S = 10.0
"""For the thread to end: twice what the receiver gives to requests that have begun."""


class ServedReceiver:
    """A receiver that serves from a thread until it is closed."""

    def __init__(self, receiver: OtlpReceiver) -> None:
        self.receiver = receiver
        self._ready = threading.Event()
        self._problem: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(
            target=self._run, name="perfwright-otlp-receiver", daemon=True
        )
        self._thread.start()
        self._ready.wait()
        if self._problem is not None:
            raise self._problem

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.receiver.port

    def close(self) -> None:
        """Stop listening, answer what has begun, and end the thread; again, it does nothing."""
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and self._thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        self._thread.join(_PATIENCE_S)
        self._loop = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._problem = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self.receiver:
            self._ready.set()
            await self._stop.wait()
