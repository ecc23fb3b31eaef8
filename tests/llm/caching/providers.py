"""A provider that lives in the test: it counts, waits and fails as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from perfwright.core import StreamCutError
from perfwright.llm import Piece, Request, Usage
from perfwright.llm.caching import SharedStream, Stored

WORDS = ("Every ", "", "answer ", "comes ", "in ", "pieces.")
TEXT = "".join(WORDS)


def ask(text: str = "Why?", **fields: Any) -> Request:
    """A chat request."""
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
    return Request(body=body)


def chat(text: str = TEXT, *, finish_reason: str = "stop") -> dict[str, Any]:
    """A chat answer that was not streamed."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 6, "total_tokens": 9},
    }


def chunk(delta: dict[str, Any], *, finish_reason: str | None = None) -> Piece:
    """A piece of a chat answer."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    kind = "chat.completion.chunk"
    return Piece({"id": "1", "object": kind, "created": 1, "model": "m", "choices": [choice]})


def chunks(words: tuple[str, ...] = WORDS, *, finish_reason: str = "stop") -> list[Piece]:
    """A chat answer as a stream, its usage last."""
    last = chunk({}, finish_reason=finish_reason)
    usage = Piece({**chunk({}), "choices": [], "usage": chat()["usage"]})
    texts = [chunk({"content": word}) for word in words]
    return [chunk({"role": "assistant", "content": ""}), *texts, last, usage]


@dataclass
class Provider:
    """Answers plain and streamed; `calls` counts both."""

    pieces: list[Piece] = field(default_factory=chunks)
    payload: dict[str, Any] = field(default_factory=chat)
    takes_s: float = 0.0
    piece_s: float = 0.0
    error: Exception | None = None
    """Raised instead of an answer."""
    cut_after: int | None = None
    """So many pieces come, then the stream breaks."""
    calls: int = 0
    closed: int = 0
    """Streams that were closed."""
    sent: int = 0
    """Pieces that were sent."""
    gate: asyncio.Event | None = None
    """Held back until it is set: every piece after the second."""

    async def make(self) -> Stored:
        """Answer at once."""
        await self._called()
        return Stored(
            payload=self.payload,
            usage=Usage(prompt_tokens=3, completion_tokens=6),
            endpoint="primary",
        )

    async def open(self) -> _Stream:
        """Answer in pieces."""
        await self._called()
        return _Stream(self)

    async def _called(self) -> None:
        self.calls += 1
        await asyncio.sleep(self.takes_s)
        if self.error is not None:
            raise self.error


class _Stream:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.headers: Mapping[str, str] = {"x-request-id": "7"}
        self.endpoint = "primary"

    async def __aiter__(self) -> AsyncIterator[Piece]:
        provider = self._provider
        for number, piece in enumerate(provider.pieces):
            if provider.cut_after == number:
                raise StreamCutError(endpoint="primary", problem="connection lost")
            if provider.gate is not None and number > 1:
                await provider.gate.wait()
            await asyncio.sleep(provider.piece_s)
            provider.sent += 1
            yield piece

    async def aclose(self) -> None:
        self._provider.closed += 1


async def read(stream: SharedStream) -> list[Piece]:
    """Read to the end, and close."""
    try:
        return [piece async for piece in stream]
    finally:
        await stream.aclose()


def text_of(pieces: list[Piece]) -> str:
    """The text of pieces that have a choice."""
    return "".join(piece.text for piece in pieces)
