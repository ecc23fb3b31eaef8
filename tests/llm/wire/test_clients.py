"""Transports over other people's clients. LiteLLM itself is not installed here: a stand-in with its
documented functions and attributes takes its place."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from types import ModuleType, SimpleNamespace
from typing import Any, TypeVar

import openai
import pytest

from perfwright.core import (
    BadAnswerError,
    MissingExtraError,
    ProviderDownError,
    ProviderError,
    ProviderLimitError,
    ProviderRefusedError,
    ProviderTimeoutError,
    StreamCutError,
)
from perfwright.llm import Api, Piece, Request, Usage
from perfwright.llm.wire import LiteLLMTransport, OpenAIClientTransport, assemble
from tests.llm.wire.servers import (
    ANSWER,
    DONE,
    EVENTS_HEAD,
    Part,
    Server,
    answer,
    chat_chunk,
    event,
    http,
    serving,
)

T = TypeVar("T")
CHAT = Request(body={"model": "m", "messages": [{"role": "user", "content": "hi"}]})


def with_client(
    work: Callable[[OpenAIClientTransport], Awaitable[T]], *answers: list[Part]
) -> tuple[T, Server]:
    async def main() -> tuple[T, Server]:
        async with (
            serving(*answers) as server,
            openai.AsyncOpenAI(base_url=server.base_url, api_key="sk-secret") as client,
        ):
            return await work(OpenAIClientTransport(client, name="theirs")), server

    return asyncio.run(main())


async def read(transport: OpenAIClientTransport | LiteLLMTransport) -> list[Piece]:
    stream = await transport.open(CHAT, timeout_s=5)
    try:
        return [piece async for piece in stream]
    finally:
        await stream.aclose()


# --- openai ---------------------------------------------------------------------------------------


def test_a_request_goes_through_an_openai_client() -> None:
    reply, server = with_client(lambda it: it.send(CHAT, timeout_s=5), [answer()])
    assert (reply.payload, reply.usage) == (ANSWER, Usage(prompt_tokens=3, completion_tokens=1))
    assert reply.headers["content-type"] == "application/json"
    assert server.asked[0].headers["authorization"] == "Bearer sk-secret"
    assert json.loads(server.asked[0].body) == CHAT.body


def test_a_stream_comes_through_an_openai_client() -> None:
    pieces, server = with_client(
        read, [EVENTS_HEAD, event(chat_chunk("Hi")), event(chat_chunk(finish="stop")), DONE]
    )
    assert assemble(Api.CHAT, pieces)["choices"][0]["message"] == {"content": "Hi"}
    assert json.loads(server.asked[0].body)["stream_options"] == {"include_usage": True}


def test_a_stream_that_is_cut_in_an_openai_client_is_cut() -> None:
    with pytest.raises(StreamCutError) as cut:
        with_client(read, [EVENTS_HEAD, event(chat_chunk("Hi")), None])
    assert cut.value.text == "Hi"


def test_an_openai_client_does_not_retry_by_itself() -> None:
    asked: list[int] = []

    async def work(transport: OpenAIClientTransport) -> None:
        with pytest.raises(ProviderLimitError) as limit:
            await transport.send(CHAT, timeout_s=5)
        asked.append(1)
        assert (limit.value.retry_after_s, limit.value.problem) == (3.0, "slow")

    busy = http(b'{"error": {"message": "slow"}}', status=429, headers={"retry-after": "3"})
    _, server = with_client(work, [busy])
    assert len(server.asked) == len(asked) == 1


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([http(b"{}", status=401)], ProviderRefusedError),
        ([http(b"{}", status=503)], ProviderDownError),
        ([http(b"<html>")], BadAnswerError),
        ([None], ProviderDownError),
        ([5.0], ProviderTimeoutError),
    ],
)
def test_what_fails_in_an_openai_client_has_our_error(
    parts: list[Part], kind: type[ProviderError]
) -> None:
    with pytest.raises(kind) as raised:
        with_client(lambda it: it.send(CHAT, timeout_s=0.3), parts)
    assert type(raised.value) is kind


def test_the_text_of_an_openai_transport_does_not_show_the_key() -> None:
    client = openai.AsyncOpenAI(api_key="sk-secret")
    assert repr(OpenAIClientTransport(client)) == "OpenAIClientTransport(name='default')"


# --- LiteLLM --------------------------------------------------------------------------------------


class StandIn(ModuleType):
    """What of litellm is used here."""

    def __init__(self, result: Any) -> None:
        super().__init__("litellm")
        self.result = result
        self.asked: dict[str, Any] = {}

    async def acompletion(self, **options: Any) -> Any:
        self.asked = options
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class Answer(SimpleNamespace):
    def model_dump(self, **_: Any) -> Any:
        return self.payload


class RateLimitError(Exception):
    status_code = 429
    message = "litellm.RateLimitError: slow"
    response = SimpleNamespace(headers={"Retry-After": "4"})


class APIConnectionError(Exception):
    status_code = 500


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], StandIn]:
    def install(result: Any) -> StandIn:
        module = StandIn(result)
        monkeypatch.setitem(sys.modules, "litellm", module)
        return module

    return install


def test_a_request_goes_through_litellm_without_its_retries(
    stand_in: Callable[[Any], StandIn],
) -> None:
    hidden = {"additional_headers": {"llm_provider-X-RateLimit-Limit-Requests": 9}}
    module = stand_in(Answer(payload=ANSWER, _hidden_params=hidden))
    reply = asyncio.run(LiteLLMTransport(api_base="http://x.test").send(CHAT, timeout_s=5))
    assert reply.payload == ANSWER
    assert reply.headers == {"x-ratelimit-limit-requests": "9"}
    options = {"num_retries": 0, "max_retries": 0, "timeout": 5, "api_base": "http://x.test"}
    assert module.asked == {**CHAT.body, **options}


async def pieces_of(*chunks: Any) -> AsyncIterator[Answer]:
    for chunk in chunks:
        if isinstance(chunk, Exception):
            raise chunk
        yield Answer(payload=chunk)


def test_a_stream_comes_through_litellm(stand_in: Callable[[Any], StandIn]) -> None:
    async def main() -> list[Piece]:
        stand_in(pieces_of(chat_chunk("Hi"), chat_chunk(finish="stop")))
        return await read(LiteLLMTransport())

    assert [piece.text for piece in asyncio.run(main())] == ["Hi", ""]


@pytest.mark.parametrize("end", [(), (ValueError("gone"),)])
def test_a_stream_that_is_cut_in_litellm_is_cut(
    stand_in: Callable[[Any], StandIn], end: tuple[Any, ...]
) -> None:
    async def main() -> None:
        stand_in(pieces_of(chat_chunk("Hi"), *end))
        await read(LiteLLMTransport())

    with pytest.raises(StreamCutError) as cut:
        asyncio.run(main())
    assert cut.value.text == "Hi"


def test_litellms_errors_become_ours(stand_in: Callable[[Any], StandIn]) -> None:
    stand_in(RateLimitError())
    with pytest.raises(ProviderLimitError, match="slow") as limit:
        asyncio.run(LiteLLMTransport().send(CHAT, timeout_s=5))
    assert limit.value.retry_after_s == 4.0


def test_a_provider_that_litellm_cannot_reach_is_down(stand_in: Callable[[Any], StandIn]) -> None:
    stand_in(APIConnectionError("refused"))
    with pytest.raises(ProviderDownError, match="cannot be reached: refused"):
        asyncio.run(LiteLLMTransport().send(CHAT, timeout_s=5))


def test_a_mistake_in_a_call_of_litellm_stays_what_it_is(
    stand_in: Callable[[Any], StandIn],
) -> None:
    stand_in(TypeError("no such option"))
    with pytest.raises(TypeError, match="no such option"):
        asyncio.run(LiteLLMTransport().send(CHAT, timeout_s=5))


def test_without_litellm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfwright.llm.wire.litellm_client.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"perfwright\[litellm\]"):
        LiteLLMTransport()
