"""A pool of connections for each event loop, closed when the loop ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from perfwright.llm.wire.pool import Pool


class LoopPools:
    """The pool of whichever loop is running.

    Connections belong to one loop, and a program may have several: `asyncio.run` twice, or one in
    each thread. Each pool is closed by its loop: `asyncio.run` ends with closing the asynchronous
    generators, and one of those holds the pool. So nobody is warned who forgot `aclose`.

    Args:
        make: Makes a pool for the running loop.
    """

    def __init__(self, make: Callable[[], Pool]) -> None:
        self._make = make
        self._latest: tuple[asyncio.AbstractEventLoop, Pool] | None = None
        self._by_loop: dict[asyncio.AbstractEventLoop, _Held] = {}

    async def get(self) -> Pool:
        """Return the running loop's pool; makes it if there is none."""
        loop = asyncio.get_running_loop()
        latest = self._latest
        if latest is not None and latest[0] is loop:
            return latest[1]
        held = self._by_loop.get(loop)
        if held is None:
            for ended in [known for known in list(self._by_loop) if known.is_closed()]:
                self._by_loop.pop(ended, None)  # another thread may be at it
            held = self._by_loop[loop] = _Held(self._make())
            await anext(held.until_closed)
        self._latest = (loop, held.pool)
        return held.pool

    async def aclose(self) -> None:
        """Close the running loop's pool; those of other loops are closed there, once let go."""
        self._latest = None
        held = self._by_loop.pop(asyncio.get_running_loop(), None)
        self._by_loop.clear()
        if held is not None:
            await held.until_closed.aclose()


class _Held:
    __slots__ = ("pool", "until_closed")

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.until_closed = _closing(pool)


async def _closing(pool: Pool) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        pool.close()
        await asyncio.sleep(0)  # so that the sockets are closed when this returns
