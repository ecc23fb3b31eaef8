"""Writes of which nobody knows whether the second tier has made them.

A value that was overwritten or deleted here while the tier did not answer may still stand there.
Before the tier is believed again, what it may have is deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from perfwright.cache.tier import TierDownError

_MOST = 10_000
"""Keys; beyond that everything is deleted."""


class Debts:
    """Keys and tags to delete.

    Args:
        delete: Deletes a key in the tier.
        drop_tag: Forgets a tag there.
        clear: Deletes everything there.
    """

    def __init__(
        self,
        *,
        delete: Callable[[str], Awaitable[object]],
        drop_tag: Callable[[str], Awaitable[object]],
        clear: Callable[[], Awaitable[object]],
    ) -> None:
        self._delete, self._drop_tag, self._clear = delete, drop_tag, clear
        self._keys: set[str] = set()
        self._tags: set[str] = set()
        self._everything = False
        self._paying = asyncio.Lock()
        self._owing = asyncio.Event()

    def __bool__(self) -> bool:
        return self._everything or bool(self._keys) or bool(self._tags)

    @contextmanager
    def unless_done(
        self, *keys: str, tags: tuple[str, ...] = (), everything: bool = False
    ) -> Iterator[None]:
        """Owe these if the block fails, or is cancelled: the tier may or may not have done it."""
        try:
            yield
        except BaseException:
            self._keys.update(keys)
            self._tags.update(tags)
            self._everything = self._everything or everything or len(self._keys) > _MOST
            self._owing.set()
            raise

    async def collect(self, *, pause: Callable[[], Awaitable[None]]) -> None:
        """Pay whenever something is owed, with a pause after each failure; until cancelled."""
        while True:
            await self._owing.wait()
            try:
                await self.pay()
                self._owing.clear()
            except TierDownError:
                await pause()

    async def pay(self) -> None:
        """Delete what is owed; raises what the tier raises, and keeps the rest."""
        async with self._paying:
            if self._everything:
                await self._clear()
                self._everything = False
                self._keys.clear()
                self._tags.clear()
            await self._pay_each(self._keys, self._delete)
            await self._pay_each(self._tags, self._drop_tag)

    async def _pay_each(self, owed: set[str], delete: Callable[[str], Awaitable[object]]) -> None:
        while owed:
            name = next(iter(owed))
            await delete(name)
            owed.discard(name)
