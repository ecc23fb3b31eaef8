"""A provider's stream that several callers read, each at its own pace.

One task reads the provider as fast as it sends; each reader has a place in the list of what has
come. So a late reader first gets the beginning, and a slow one holds up nobody: what is kept for it
is the answer itself, which is needed for the cache anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Self

from perfwright.llm.caching.stored import Stored
from perfwright.llm.replies import Piece


class Live:
    """What has come of an answer so far."""

    __slots__ = (
        "_changes",
        "endpoint",
        "error",
        "headers",
        "holder",
        "is_open",
        "is_over",
        "on_left",
        "pieces",
        "readers",
        "record",
    )

    def __init__(self, on_left: Callable[[Live], None]) -> None:
        self.pieces: list[Piece] = []
        self.headers: Mapping[str, str] = {}
        self.endpoint = ""
        self.record: bytes | None = None
        """The packed `Stored`, once it is over."""
        self.error: BaseException | None = None
        self.is_open, self.is_over = False, False
        self.readers = 0
        self.holder: asyncio.Task[None] | None = None
        """The task that brings the answer."""
        self.on_left = on_left
        """Called when the last reader leaves."""
        self._changes: list[asyncio.Future[None]] = []

    # --- For whoever brings the answer ------------------------------------------------------------

    def open(self, *, headers: Mapping[str, str], endpoint: str) -> None:
        """Note that the provider has accepted the request."""
        self.headers, self.endpoint, self.is_open = headers, endpoint, True
        self._wake()

    def feed(self, piece: Piece) -> None:
        """Hand on a piece."""
        self.pieces.append(piece)
        self._wake()

    def finish(self, record: bytes) -> None:
        """Note that the answer is whole."""
        self.record, self.is_open, self.is_over = record, True, True
        self._wake()

    def fail(self, error: BaseException) -> None:
        """End it for all readers with an error, after what has come."""
        if not self.is_over:
            self.error, self.is_over = error, True
            self._wake()

    # --- For readers ------------------------------------------------------------------------------

    async def result(self) -> Stored:
        """Wait for the whole answer.

        Raises:
            BaseException: What cut it short.
        """
        while not self.is_over:
            await self.changed()
        return self.stored()

    def stored(self) -> Stored:
        """Return a copy of the whole answer; call it when it is over."""
        if self.error is not None:
            raise self.error
        assert self.record is not None  # noqa: S101  `finish` and `fail` are the only ends
        return Stored.unpack(self.record)

    async def changed(self) -> None:
        """Wait until more is known."""
        change = asyncio.get_running_loop().create_future()
        self._changes.append(change)
        await change

    def enter(self) -> None:
        """Count a reader."""
        self.readers += 1

    def leave(self) -> None:
        """Count it off; whoever brings the answer is told when it was the last."""
        self.readers -= 1
        if not self.readers:
            self.on_left(self)

    def _wake(self) -> None:
        changes, self._changes = self._changes, []
        for change in changes:
            if not change.done():  # its reader was cancelled
                change.set_result(None)


class SharedStream:
    """One reader's view of a `Live`; a `ReplyStream`. Pieces are shared: do not change them."""

    __slots__ = ("_at", "_has_left", "_live", "cached")

    def __init__(self, live: Live, *, cached: bool) -> None:
        self._live, self._at, self._has_left = live, 0, False
        self.cached = cached
        """No provider was asked for this caller."""
        live.enter()

    async def opened(self) -> None:
        """Wait until there is something to read; leaves if there will not be.

        Raises:
            BaseException: What kept it from being opened.
        """
        live = self._live
        try:
            while not (live.is_open or live.is_over):
                await live.changed()
            if live.error is not None and not live.is_open:
                raise live.error
        except BaseException:
            await self.aclose()
            raise

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the provider's response; empty for an answer that was kept."""
        return self._live.headers

    @property
    def endpoint(self) -> str:
        """Name of the endpoint that answers."""
        return self._live.endpoint

    def stored(self) -> Stored:
        """Return the whole answer; call it after the last piece."""
        return self._live.stored()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Piece:
        """Return the next piece, as soon as it has come."""
        live = self._live
        while self._at >= len(live.pieces):
            if live.is_over:
                await self.aclose()
                if live.error is not None:
                    raise live.error
                raise StopAsyncIteration
            await live.changed()
        self._at += 1
        return live.pieces[self._at - 1]

    async def aclose(self) -> None:
        """Leave; the provider's stream ends with its last reader."""
        if not self._has_left:
            self._has_left = True
            self._live.leave()
