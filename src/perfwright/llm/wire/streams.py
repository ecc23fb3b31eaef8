"""Streams as callers see them: what has come waits here, what has not is waited for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Protocol, Self

from perfwright.core import ProviderError, ProviderTimeoutError
from perfwright.llm.replies import Piece
from perfwright.llm.wire.decoding import StreamDecoder
from perfwright.llm.wire.failures import cut_secret
from perfwright.llm.wire.troubles import TROUBLES

DRAIN_S = 0.05
"""How long an announced end is waited for, so that its connection can be used again."""


class Body(Protocol):
    """An answer's bytes as they come."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the response, names in lower case."""

    @property
    def is_read(self) -> bool:
        """All of it has come and was taken."""

    async def read_some(self) -> bytes:
        """Return what has come, waiting for it if there is nothing; empty at the end.

        Raises:
            OSError: If nothing more comes, and the end has not.
        """

    async def aclose(self) -> None:
        """Let go of the connection; twice does no harm."""


class EventStream:
    """A response's pieces as they come.

    Args:
        body: A stream of events; nothing of it is read yet.
        decoder: Makes pieces of it.
        timeout_s: Between any two pieces.
        deadline_s: For the first piece, in the loop's time.
        endpoint: Its name, for errors.
        secret: The key, cut out of errors.
    """

    __slots__ = (
        "_body",
        "_deadline_s",
        "_decoder",
        "_endpoint",
        "_is_over",
        "_ready",
        "_secret",
        "_timeout_s",
        "headers",
    )

    def __init__(
        self,
        body: Body,
        *,
        decoder: StreamDecoder,
        timeout_s: float,
        deadline_s: float,
        endpoint: str,
        secret: str | None = None,
    ) -> None:
        self._body, self._decoder, self._endpoint = body, decoder, endpoint
        self._secret = secret
        self._timeout_s, self._deadline_s = timeout_s, deadline_s
        self.headers: Mapping[str, str] = body.headers
        self._ready: deque[Piece] = deque()
        self._is_over = False

    def __aiter__(self) -> Self:
        """The stream is its own iterator: it can be gone through once."""
        return self

    async def __anext__(self) -> Piece:
        """Return the next piece; see `ReplyStream`."""
        if not self._ready:
            try:
                await self._fill()
            except ProviderError as error:
                cut_secret(error, self._secret)
                raise
        return self._ready.popleft()

    async def aclose(self) -> None:
        """Let go of the connection; it is used again only if the response was read to its end."""
        self._is_over = True
        self._ready.clear()
        await self._body.aclose()

    async def _fill(self) -> None:
        """Wait for pieces.

        Raises:
            StopAsyncIteration: If there are no more.
            ProviderError: If there should be more.
        """
        decoder = self._decoder
        now_s = asyncio.get_running_loop().time()
        # The reader's own time does not count: an old deadline says nothing about the provider.
        until_s = self._deadline_s if self._deadline_s > now_s else now_s + self._timeout_s
        self._deadline_s = 0.0
        try:
            async with asyncio.timeout_at(until_s):
                while not self._ready and not self._is_over:
                    await self._read()
        except TimeoutError as error:
            text = f"no piece of its stream came for {self._timeout_s:g} s"
            decoder.failure = ProviderTimeoutError(endpoint=self._endpoint, problem=text)
            decoder.failure.__cause__ = error
            self._is_over = True
        if not self._ready:
            await self._let_go()
            if decoder.failure is not None:
                raise decoder.failure
            raise StopAsyncIteration

    async def _read(self) -> None:
        """Take what has come, at least some bytes or the end."""
        decoder = self._decoder
        try:
            chunk = await self._body.read_some()
        except TimeoutError:
            raise
        except TROUBLES as error:
            self._is_over = True
            if not decoder.is_complete:
                decoder.failure = decoder.cut(f"its connection broke ({error})")
                decoder.failure.__cause__ = error
            return
        self._ready.extend(decoder.feed(chunk) if chunk else decoder.finish())
        self._is_over = not chunk or decoder.is_ended or decoder.failure is not None

    async def _let_go(self) -> None:
        """Give the connection back; after an announced end only the response's own is missing."""
        if self._decoder.is_ended and not self._body.is_read:
            try:
                async with asyncio.timeout(DRAIN_S):
                    while not self._body.is_read:
                        await self._body.read_some()
            except TROUBLES:
                pass  # nothing is missing from the answer; only the connection is not used again
        await self._body.aclose()


class ReadyStream:
    """Pieces that are all there: from a server that does not stream, or from a store.

    Args:
        pieces: In their order.
        headers: Of the response, names in lower case.
    """

    def __init__(self, pieces: Iterable[Piece], *, headers: Mapping[str, str]) -> None:
        self._pieces = iter(pieces)
        self.headers = headers

    def __aiter__(self) -> Self:
        """The stream is its own iterator: it can be gone through once."""
        return self

    async def __anext__(self) -> Piece:
        """Return the next piece."""
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Forget the rest."""
        self._pieces = iter(())
