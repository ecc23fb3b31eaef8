"""An answer in pieces, as the adapter hands it out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Protocol, Self

from perfwright.llm.replies import Completion, Piece
from perfwright.llm.requests import Request
from perfwright.llm.tracing import CallTrace
from perfwright.llm.transport import ReplyStream
from perfwright.llm.wire import is_usage_only, wants_usage


class Source(Protocol):
    """Where the pieces come from, and who is told of their end."""

    trace: CallTrace | None
    """None before it is opened."""
    cached: bool
    """No provider was asked for this caller."""
    endpoint: str
    """Name of the endpoint that answers; empty before it is known."""

    async def open(self) -> ReplyStream:
        """Return once the answer is on its way; called once."""

    def note_piece(self) -> None:
        """Take note that a piece has come."""

    def end(self, pieces: list[Piece], error: BaseException | None) -> Completion | None:
        """Take note of the end; returns the whole answer if there is one. Called once."""


class CompletionStream:
    """Yields an answer's pieces as they come, once; opened when the first is asked for.

    `async for` over it; with `async with` around, leaving early ends the provider's work at once.
    """

    def __init__(self, source: Source, *, request: Request) -> None:
        self._source = source
        self._stream: ReplyStream | None = None
        self._pieces: AsyncIterator[Piece] | None = None
        self._seen: list[Piece] = []
        self._shows_usage = wants_usage(request)
        self._completion: Completion | None = None
        self._is_over = False

    async def opened(self) -> Self:
        """Return once the provider has accepted the request, or its answer was found.

        Raises:
            LLMError: If there will be no answer.
        """
        if self._stream is None:
            try:
                self._stream = await self._source.open()
            except BaseException as error:
                await self._end(error)
                raise
            self._pieces = aiter(self._stream)
        return self

    @property
    def trace(self) -> CallTrace | None:
        """The stages of the call; None before it is opened."""
        return self._source.trace

    @property
    def cached(self) -> bool:
        """Whether no provider was asked for this caller."""
        return self._source.cached

    @property
    def endpoint(self) -> str:
        """Name of the endpoint that answers; empty before it is known."""
        return self._source.endpoint

    @property
    def completion(self) -> Completion:
        """The whole answer, as if it had not been streamed; read it after the last piece.

        Raises:
            RuntimeError: Before that.
        """
        if self._completion is None:
            raise RuntimeError("the stream is not over; read it to its end first")
        return self._completion

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Piece:
        """Return the next piece.

        Raises:
            StreamCutError: If it ends half way; `text` of it is what had come.
            LLMError: If it could not be opened.
        """
        if self._is_over:
            raise StopAsyncIteration
        if self._pieces is None:
            await self.opened()
        assert self._pieces is not None  # noqa: S101  set by `opened`
        try:
            while True:
                piece = await anext(self._pieces)
                self._seen.append(piece)
                self._source.note_piece()
                if self._shows_usage or not is_usage_only(piece):
                    return piece
        except StopAsyncIteration:
            await self._end(None)
            raise
        except BaseException as error:
            await self._end(error)
            raise

    async def __aenter__(self) -> Self:
        return await self.opened()

    async def __aexit__(
        self, *_: type[BaseException] | BaseException | TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it, and the provider's work if nobody else waits for it."""
        await self._end(GeneratorExit())

    async def _end(self, error: BaseException | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        try:
            if self._stream is not None:
                await self._stream.aclose()
        finally:
            self._completion = self._source.end(self._seen, error)
