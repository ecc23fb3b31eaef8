"""What is done when nothing is kept: ask the provider, once for all who wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from perfwright.core import LLMError, SpendLimitError, StreamCutError
from perfwright.llm.caching.live import Live
from perfwright.llm.caching.stored import Stored, is_kept
from perfwright.llm.requests import Request
from perfwright.llm.transport import ReplyStream
from perfwright.llm.wire import assemble, piece_sizes, usage_of

Make = Callable[[], Awaitable[Stored]]
Open = Callable[[], Awaitable[ReplyStream]]


class UnkeptError(LLMError):
    """Carries an answer past the cache, to all who wait for it, without storing it."""

    def __init__(self, record: bytes) -> None:
        self.record = record
        super().__init__("an answer of a kind that is not kept")


class OthersLimitError(LLMError):
    """The caller whose call was shared had no budget left; that says nothing of the others."""


class Making:
    """A factory for `AdvancedCache`: the caller's way to the provider, and whether it was taken."""

    __slots__ = ("_make", "_on_end", "_request", "made", "was_asked")

    def __init__(self, request: Request, make: Make, *, on_end: Callable[[], object]) -> None:
        self._request, self._make, self._on_end = request, make, on_end
        self.made: Stored | None = None
        self.was_asked = False

    async def __call__(self) -> bytes:
        """Return the record to keep."""
        self.was_asked = True
        try:
            self.made = await self._make()
        finally:
            self._on_end()
        return record_of(self._request, self.made)

    def own(self, error: SpendLimitError) -> Exception:
        """Return the error for this caller."""
        return error if self.was_asked else OthersLimitError()


class Reading:
    """The same for a stream: hands on each piece to the readers, and keeps the whole."""

    __slots__ = ("_live", "_open", "_request", "was_asked")

    def __init__(self, request: Request, open_: Open, *, live: Live) -> None:
        self._request, self._open, self._live = request, open_, live
        self.was_asked = False

    async def __call__(self) -> bytes:
        """Return the record to keep."""
        self.was_asked = True
        if self._live.is_over:  # an answer that was served stale is renewed: nobody reads along
            self._live = Live(on_left=lambda _: None)
        try:
            stored = await self._read(self._live)
        except BaseException as error:
            self._live.fail(error if isinstance(error, Exception) else _ended(self._live))
            raise
        self._live.finish(stored.pack())
        return record_of(self._request, stored)

    def own(self, error: SpendLimitError) -> Exception:
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
        )


def record_of(request: Request, stored: Stored) -> bytes:
    """Return the bytes to keep.

    Raises:
        UnkeptError: If this answer is not to be kept; it has the bytes.
    """
    record = stored.pack()
    if not is_kept(request, stored.payload):
        raise UnkeptError(record)
    return record


def _ended(live: Live) -> StreamCutError:
    text = "".join(piece.text for piece in live.pieces)
    return StreamCutError(endpoint=live.endpoint, problem="reading it was cancelled", text=text)
