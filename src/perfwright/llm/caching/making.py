"""What is done when nothing is kept: ask the provider, once for all who wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from perfwright.core import (
    LimitTimeoutError,
    LLMError,
    ProviderTimeoutError,
    SpendLimitError,
    StreamCutError,
)
from perfwright.llm.caching.keys import KeyMaker
from perfwright.llm.caching.live import Live
from perfwright.llm.caching.semantic import Search, SemanticCache
from perfwright.llm.caching.stored import Stored, keeps
from perfwright.llm.caching.tallies import Tally
from perfwright.llm.requests import Request
from perfwright.llm.transport import ReplyStream
from perfwright.llm.wire import assemble, piece_sizes, usage_of

OWN_ERRORS = (SpendLimitError, LimitTimeoutError, ProviderTimeoutError)
"""Say something of the caller who was first, its budget and its time, and nothing of the others."""

Make = Callable[[], Awaitable[Stored]]
Open = Callable[[], Awaitable[ReplyStream]]


class UnkeptError(LLMError):
    """Carries an answer past the cache, to all who wait for it, without storing it."""

    def __init__(self, record: bytes, *, is_similar: bool = False) -> None:
        self.record, self.is_similar = record, is_similar
        """Whether it is the answer to a similar question."""
        super().__init__("an answer of a kind that is not kept")


class OthersLimitError(LLMError):
    """The caller whose call was shared had no budget or no time left; the others may have."""


class Similar:
    """The semantic cache, for one request."""

    __slots__ = ("_keys", "_request", "_search", "_semantic", "is_served")

    def __init__(self, request: Request, *, semantic: SemanticCache, keys: KeyMaker) -> None:
        self._request, self._semantic, self._keys = request, semantic, keys
        self._search: Search | None = None
        self.is_served = False

    async def look(self) -> None:
        """Look for a similar question.

        Raises:
            UnkeptError: If its answer is to be given.
        """
        self._search = found = await self._semantic.find(self._request, keys=self._keys)
        if found is not None and found.is_served and found.neighbour is not None:
            self.is_served = True
            raise UnkeptError(found.neighbour.record, is_similar=True)

    def learn(self, stored: Stored) -> None:
        """Take in the provider's answer."""
        if self._search is not None:
            self._semantic.learn(self._search, self._request, stored=stored)


class Making:
    """A factory for `AdvancedCache`: the caller's way to the provider, and whether it was taken."""

    __slots__ = ("_make", "_on_end", "_request", "_similar", "_tally", "made", "was_asked")

    def __init__(
        self,
        request: Request,
        make: Make,
        *,
        similar: Similar | None,
        tally: Tally,
        on_end: Callable[[], object],
    ) -> None:
        self._request, self._make = request, make
        self._similar, self._tally, self._on_end = similar, tally, on_end
        self.made: Stored | None = None
        self.was_asked = False

    async def __call__(self) -> bytes:
        """Return the record to keep."""
        self.was_asked = True
        try:
            if self._similar is not None:
                await self._similar.look()
            self._tally.count_miss()
            self.made = await self._make()
            if self._similar is not None:
                self._similar.learn(self.made)
        finally:
            self._on_end()
        return record_of(self._request, self.made)

    def own(self, error: Exception) -> Exception:
        """Return the error for this caller."""
        return error if self.was_asked else OthersLimitError()


class Reading:
    """The same for a stream: hands on each piece to the readers, and keeps the whole."""

    __slots__ = ("_live", "_on_ask", "_open", "_request", "_similar", "was_asked")

    def __init__(
        self,
        request: Request,
        open_: Open,
        *,
        live: Live,
        similar: Similar | None = None,
        on_ask: Callable[[], object] = lambda: None,
    ) -> None:
        self._request, self._open, self._live = request, open_, live
        self._similar, self._on_ask = similar, on_ask
        self.was_asked = False

    async def __call__(self) -> bytes:
        """Return the record to keep."""
        if self._live.is_over:  # an answer that was served stale is renewed: nobody reads along
            self._live = Live(on_left=lambda _: None)
        if self._similar is not None:
            await self._similar.look()
        self.was_asked = True
        self._on_ask()
        try:
            stored = await self._read(self._live)
        except BaseException as error:
            self._live.fail(error if isinstance(error, Exception) else _ended(self._live))
            raise
        record = stored.pack()
        self._live.finish(record)
        if self._similar is not None:
            self._similar.learn(stored)
        if not keeps(self._request, stored):
            raise UnkeptError(record)
        return record

    def own(self, error: Exception) -> Exception:
        """Return the error for the caller that brought `open_`."""
        return error if self.was_asked else OthersLimitError()

    async def _read(self, live: Live) -> Stored:
        stream = await self._open()
        try:
            live.open(headers=stream.headers, endpoint=getattr(stream, "endpoint", ""))
            async for piece in stream:
                live.feed(piece)
        finally:
            await stream.aclose()
        payload = assemble(self._request.api, live.pieces)
        return Stored(
            payload=payload,
            usage=usage_of(self._request.api, payload),
            endpoint=live.endpoint,
            piece_sizes=piece_sizes(live.pieces),
            is_substitute=getattr(stream, "is_substitute", False),
        )


def record_of(request: Request, stored: Stored) -> bytes:
    """Return the bytes to keep.

    Raises:
        UnkeptError: If this answer is not to be kept; it has the bytes.
    """
    record = stored.pack()
    if not keeps(request, stored):
        raise UnkeptError(record)
    return record


def _ended(live: Live) -> StreamCutError:
    text = "".join(piece.text for piece in live.pieces)
    return StreamCutError(endpoint=live.endpoint, problem="the cache was closed", text=text)
