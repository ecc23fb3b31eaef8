"""What a gateway needs of the adapter behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Protocol

from perfwright.llm.caching import CacheMode
from perfwright.llm.replies import Completion, Piece
from perfwright.llm.requests import Request
from perfwright.llm.tracing import CallTrace
from perfwright.monitoring import Metric


class PieceStream(Protocol):
    """An answer in pieces."""

    @property
    def cached(self) -> bool:
        """Whether no provider was asked for it."""

    @property
    def endpoint(self) -> str:
        """Who answers."""

    @property
    def trace(self) -> CallTrace | None:
        """What became of the call until now."""

    @property
    def completion(self) -> Completion | None:
        """The whole answer; read after the last piece."""

    def __aiter__(self) -> AsyncIterator[Piece]:
        """Yield the pieces as they come."""

    async def aclose(self) -> None:
        """Stop the call, if it is not over."""


class Runtime(Protocol):
    """The pipeline: `OptimizedLLMAdapter`, or what stands in for it in tests."""

    async def send(self, request: Request, *, cache: CacheMode = "use") -> Completion:
        """Return the whole answer."""

    async def open(self, request: Request, *, cache: CacheMode = "use") -> PieceStream:
        """Return the answer in pieces."""

    def models(self) -> list[str]:
        """Name the models that can be asked for."""

    def get_stats(self) -> Mapping[str, Any]:
        """Say what was counted, for people."""

    def metrics(self) -> Iterable[Metric]:
        """Say it for a metrics system."""
