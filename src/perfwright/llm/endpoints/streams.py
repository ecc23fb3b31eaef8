"""A stream whose first piece has come: from here on it is not asked for again."""

from __future__ import annotations

from collections.abc import AsyncIterator

from perfwright.llm.endpoints.lane import Lane
from perfwright.llm.endpoints.ticket import Ticket
from perfwright.llm.replies import Piece
from perfwright.llm.requests import Request
from perfwright.llm.transport import ReplyStream


class EndpointStream:
    """An opened stream with its endpoint; its reservation is settled when it ends or is closed."""

    def __init__(
        self, stream: ReplyStream, *, lane: Lane, ticket: Ticket, request: Request
    ) -> None:
        self.endpoint = lane.name
        """Name of the endpoint that answers."""
        self.headers = stream.headers
        self._stream, self._lane, self._ticket, self._request = stream, lane, ticket, request
        self._pieces = stream.__aiter__()
        self._first: Piece | None = None
        self._used: int | None = None
        self._open = True

    async def begin(self) -> None:
        """Wait for the first piece; an answer without any is over at once."""
        self._first = await anext(self._pieces, None)

    async def __aiter__(self) -> AsyncIterator[Piece]:
        """Yield the pieces; the stream's end settles what it has cost."""
        first, self._first = self._first, None
        if first is None:
            return
        yield self._noted(first)
        try:
            async for piece in self._pieces:
                yield self._noted(piece)
        finally:
            self._end()

    async def aclose(self) -> None:
        """Let go of the connection and the place."""
        try:
            await self._stream.aclose()
        finally:
            self._end()

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._lane.over(self._ticket, tokens=self._used)

    def _noted(self, piece: Piece) -> Piece:
        if "usage" in piece or "response" in piece or "message" in piece:
            from perfwright.llm.wire import usage_of

            usage = usage_of(self._request.api, piece.get("response") or piece)
            if usage is not None and usage.completion_tokens:
                self._used = usage.total_tokens
        return piece
