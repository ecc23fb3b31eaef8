"""LiteLLM's providers behind our limits, cache and budgets.

It is imported with the first call: that takes it some seconds. Its answers are its own objects;
they are brought into the provider's form and judged as those of any endpoint.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import msgspec

from perfwright.core import (
    MissingExtraError,
    ProviderDownError,
    ProviderError,
    ProviderRefusedError,
    ProviderTimeoutError,
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

_FUNCTIONS = {Api.CHAT: "acompletion", Api.RESPONSES: "aresponses", Api.EMBEDDINGS: "aembedding"}
_OF_PROVIDER = "llm_provider-"  # what LiteLLM puts before the names of the provider's headers


class LiteLLMTransport:
    """Sends requests through `litellm`. Its own retries are turned off.

    Args:
        name: Of the endpoint, for errors and traces.
        options: Given to LiteLLM with every call, such as `api_base`.

    Raises:
        MissingExtraError: If litellm is not installed.
    """

    def __init__(self, *, name: str = "default", **options: Any) -> None:
        if "litellm" not in sys.modules and find_spec("litellm") is None:
            raise MissingExtraError(feature="LiteLLMTransport", extra="litellm")
        self.name = name
        self._options = options

    def __repr__(self) -> str:
        """Its name; the options may hold a key."""
        return f"LiteLLMTransport(name={self.name!r})"

    async def send(self, request: Request, *, timeout_s: float) -> Reply:
        """Return the whole answer; see `Transport`."""
        body = whole_body(request, form="openai", endpoint=self.name)
        answer = await self._called(request.api, body, timeout_s=timeout_s)
        data = msgspec.json.encode(answer.model_dump())
        headers = _headers_of(answer)
        return reply_of(request.api, data, headers=headers, form="openai", endpoint=self.name)

    async def open(self, request: Request, *, timeout_s: float) -> ReplyStream:
        """Return once the provider has accepted the request; see `Transport`."""
        body = stream_body(request, form="openai", endpoint=self.name, with_usage=True)
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        answer = await self._called(request.api, body, timeout_s=timeout_s)
        headers = _headers_of(answer)
        return EventStream(
            _Events(answer, headers=headers),
            decoder=StreamDecoder(
                api=request.api, form="openai", headers=headers, endpoint=self.name
            ),
            timeout_s=timeout_s,
            deadline_s=deadline_s,
            endpoint=self.name,
        )

    async def warm(self, connections: int) -> int:
        """Do nothing, and say so: LiteLLM opens its connections itself."""
        return 0

    async def aclose(self) -> None:
        """Do nothing: LiteLLM keeps its connections for the whole process."""

    async def _called(self, api: Api, body: Mapping[str, Any], *, timeout_s: float) -> Any:
        call = self._function(api)
        options = {"num_retries": 0, "max_retries": 0, "timeout": timeout_s, **self._options}
        try:
            async with asyncio.timeout(timeout_s):
                return await call(**{**body, **options})
        except TimeoutError as error:
            problem = f"no answer within {timeout_s:g} s"
            raise ProviderTimeoutError(endpoint=self.name, problem=problem) from error
        except Exception as error:  # its errors share no base; those of providers have a status
            if not isinstance(getattr(error, "status_code", None), int):
                raise
            raise _failed(error, endpoint=self.name) from error

    def _function(self, api: Api) -> Callable[..., Awaitable[Any]]:
        if api not in _FUNCTIONS:
            problem = f"litellm is not asked for {api.value} here; the request was not sent"
            raise ProviderRefusedError(endpoint=self.name, problem=problem)
        found: Callable[..., Awaitable[Any]] = getattr(import_module("litellm"), _FUNCTIONS[api])
        return found


class _Events:
    """LiteLLM's pieces as the events that they were."""

    def __init__(self, answer: Any, *, headers: Mapping[str, str]) -> None:
        self._answer = answer
        self._pieces = aiter(answer)
        self.headers = headers
        self.is_read = False

    async def read_some(self) -> bytes:
        try:
            piece = await anext(self._pieces, None)
        except Exception as error:
            raise CutOffError(str(error), is_begun=True) from error
        self.is_read = piece is None
        if piece is None:
            return b""
        return b"data: " + msgspec.json.encode(piece.model_dump(exclude_none=True)) + b"\n\n"

    async def aclose(self) -> None:
        close = getattr(self._answer, "aclose", None)
        if close is not None:
            await close()


def _headers_of(answer: Any) -> dict[str, str]:
    """The provider's headers, which LiteLLM hides in its answer."""
    hidden = getattr(answer, "_hidden_params", None) or {}
    headers = hidden.get("additional_headers") or {}
    return {name.lower().removeprefix(_OF_PROVIDER): str(headers[name]) for name in headers}


def _failed(error: Exception, *, endpoint: str) -> ProviderError:
    """The error of its status."""
    if "APIConnection" in type(error).__name__:  # LiteLLM gives it the status 500
        return ProviderDownError(endpoint=endpoint, problem=f"it cannot be reached: {error}")
    told = getattr(getattr(error, "response", None), "headers", None) or {}
    return failed(
        getattr(error, "status_code", 500),
        msgspec.json.encode({"message": getattr(error, "message", str(error))}),
        headers={name.lower(): value for name, value in told.items()},
        endpoint=endpoint,
    )
