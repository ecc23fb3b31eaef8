"""An `openai` client that a program has already, as the way to its provider.

It brings its own keys, address, proxies and time-outs for connecting. It costs some thirty times of
what `HttpTransport` does, since httpx and its own request objects stay in the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from perfwright.core import (
    Clock,
    MissingExtraError,
    ProviderDownError,
    ProviderError,
    ProviderTimeoutError,
    SystemClock,
)
from perfwright.llm.replies import Reply
from perfwright.llm.requests import Api, Request
from perfwright.llm.transport import ReplyStream
from perfwright.llm.wire.answers import reply_of
from perfwright.llm.wire.bodies import stream_body, whole_body
from perfwright.llm.wire.decoding import StreamDecoder
from perfwright.llm.wire.failures import failed
from perfwright.llm.wire.http1 import CutOffError
from perfwright.llm.wire.streams import EventStream

if TYPE_CHECKING:
    import openai

_PATHS = {
    Api.CHAT: "/chat/completions",
    Api.RESPONSES: "/responses",
    Api.EMBEDDINGS: "/embeddings",
    Api.MESSAGES: "/messages",
}


class OpenAIClientTransport:
    """Sends requests through an `openai.AsyncOpenAI` or `AsyncAzureOpenAI`.

    Its retries are turned off for these calls: they would neither wait for limits nor be counted.

    Args:
        client: Stays its owner's, who closes it.
        name: Of the endpoint, for errors and traces.
        clock: For waits that the provider gives as a date.

    Raises:
        MissingExtraError: If openai is not installed.
    """

    def __init__(
        self, client: openai.AsyncOpenAI, *, name: str = "default", clock: Clock | None = None
    ) -> None:
        try:
            import httpx2
            import openai
        except ImportError as error:
            raise MissingExtraError(feature="OpenAIClientTransport", extra="openai") from error
        self.name = name
        self._client, self._clock = client, clock or SystemClock()
        self._openai, self._response_type = openai, httpx2.Response
        self._breaks = (httpx2.HTTPError, httpx2.StreamError)

    def __repr__(self) -> str:
        """Its name; the client's text may hold its key."""
        return f"OpenAIClientTransport(name={self.name!r})"

    async def send(self, request: Request, *, timeout_s: float) -> Reply:
        """Return the whole answer; see `Transport`."""
        body = whole_body(request, form="openai", endpoint=self.name)
        response = await self._post(request.api, body, timeout_s=timeout_s)
        return reply_of(
            request.api,
            response.content,
            headers=_lowered(response.headers),
            form="openai",
            endpoint=self.name,
        )

    async def open(self, request: Request, *, timeout_s: float) -> ReplyStream:
        """Return once the provider has accepted the request; see `Transport`."""
        body = stream_body(request, form="openai", endpoint=self.name, with_usage=True)
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        response = await self._post(request.api, body, timeout_s=timeout_s, is_stream=True)
        headers = _lowered(response.headers)
        return EventStream(
            _ClientBody(response, headers=headers, breaks=self._breaks),
            decoder=StreamDecoder(
                api=request.api, form="openai", headers=headers, endpoint=self.name
            ),
            timeout_s=timeout_s,
            deadline_s=deadline_s,
            endpoint=self.name,
        )

    async def warm(self, connections: int) -> int:
        """Do nothing, and say so: the client opens its connections itself."""
        return 0

    async def aclose(self) -> None:
        """Do nothing: the client is its owner's."""

    async def _post(
        self, api: Api, body: Mapping[str, Any], *, timeout_s: float, is_stream: bool = False
    ) -> Any:
        """Return the client's response, which has a good status."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._client.post(
                    _PATHS[api],
                    cast_to=self._response_type,
                    body=dict(body),
                    options={"max_retries": 0, "timeout": timeout_s},
                    stream=is_stream,
                )
        except (TimeoutError, self._openai.APITimeoutError) as error:
            problem = f"no answer within {timeout_s:g} s"
            raise ProviderTimeoutError(endpoint=self.name, problem=problem) from error
        except self._openai.APIStatusError as error:
            raise self._failed(error) from error
        except self._openai.APIConnectionError as error:
            problem = f"it cannot be reached: {error.__cause__ or error}"
            raise ProviderDownError(endpoint=self.name, problem=problem) from error

    def _failed(self, error: openai.APIStatusError) -> ProviderError:
        return failed(
            error.status_code,
            error.response.content,
            headers=_lowered(error.response.headers),
            endpoint=self.name,
            today=self._clock.today(),
            secret=self._client.api_key or None,
        )


class _ClientBody:
    """The body of a client's response."""

    def __init__(
        self, response: Any, *, headers: Mapping[str, str], breaks: tuple[type[Exception], ...]
    ) -> None:
        self._response, self._breaks = response, breaks
        self._chunks: AsyncIterator[bytes] = response.aiter_bytes()
        self.headers = headers
        self.is_read = False

    async def read_some(self) -> bytes:
        try:
            chunk = await anext(self._chunks, b"")
        except self._breaks as error:
            raise CutOffError(str(error) or type(error).__name__, is_begun=True) from error
        self.is_read = not chunk
        return chunk

    async def aclose(self) -> None:
        await self._response.aclose()


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
