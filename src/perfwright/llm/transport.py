"""How a request gets to a provider: the seam between what is decided and what is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from perfwright.llm.replies import Piece, Reply
from perfwright.llm.requests import Request
from perfwright.llm.tracing import CallTrace


class ReplyStream(Protocol):
    """An answer that comes in pieces. Whoever opened it closes it, at its end or before."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the response, names in lower case."""

    def __aiter__(self) -> AsyncIterator[Piece]:
        """Yield the pieces as they come.

        Raises:
            StreamCutError: If it ends without its end having been announced.
            ProviderError: If the provider says in the stream that it failed.
        """

    async def aclose(self) -> None:
        """Let go of the connection; what has not come yet is not read."""


class Transport(Protocol):
    """Sends one request once: no waiting, no retry, no cache; those belong to its caller."""

    async def send(self, request: Request, *, timeout_s: float) -> Reply:
        """Return the whole answer.

        Raises:
            ProviderError: Its kind says what went wrong, and whether trying again may help.
        """

    async def open(self, request: Request, *, timeout_s: float) -> ReplyStream:
        """Return once the provider has accepted the request.

        Args:
            request: With `stream` or without; it is asked for as a stream, with its usage.
            timeout_s: Until the first piece, and between any two.

        Raises:
            ProviderError: As above.
        """

    async def warm(self, connections: int) -> int:
        """Open so many connections that wait for use; returns how many there are."""

    async def aclose(self) -> None:
        """Close its connections."""


@dataclass(slots=True)
class Call:
    """A request on its way, with what its stages share."""

    request: Request
    prompt_tokens: int
    """An estimate, for limits by tokens and for budgets."""
    completion_tokens: int
    """The same for the answer: what is set aside until the truth is known."""
    trace: CallTrace
    is_under_way: bool = False
    """A provider may be working on it, and charge for it."""
