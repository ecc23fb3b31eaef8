from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given

from perfwright.core import BadAnswerError, StreamCutError
from perfwright.llm import Api, Piece, Reply, Request
from perfwright.llm.testing import SimulatedProvider
from perfwright.llm.wire import HttpTransport, assemble, split, usage_of
from perfwright.llm.wire.anthropic import request_to_messages
from perfwright.llm.wire.anthropic_parts import UntranslatableError
from perfwright.llm.wire.openai_chat import message_from_chat, messages_to_chat
from perfwright.llm.wire.openai_stream import MessagesFromChat
from tests.llm.wire.servers import EVENTS_HEAD, Part, chat_chunk, event, http, serving
from tests.llm.wire.test_pieces import completions


def translated(*messages: dict[str, Any], **options: Any) -> dict[str, Any]:
    return messages_to_chat({"model": "m", "max_tokens": 9, "messages": list(messages), **options})


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


# --- Requests -------------------------------------------------------------------------------------


def test_a_conversation_is_said_in_chat() -> None:
    made = translated(
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Ulm"}},
            ],
        },
        user(
            {"type": "tool_result", "tool_use_id": "t1", "content": "rain"},
            {"type": "text", "text": "so?"},
        ),
        system=[{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
    )
    function = {"name": "weather", "arguments": '{"city":"Ulm"}'}
    assert made["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [{"id": "t1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "rain"},
        {"role": "user", "content": "so?"},
    ]
    assert (made["model"], made["max_completion_tokens"]) == ("m", 9)


def test_images_and_documents_become_parts() -> None:
    inside = {"type": "base64", "media_type": "image/png", "data": "QUJD"}
    made = translated(
        user(
            {"type": "image", "source": inside},
            {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
            {"type": "document", "source": inside, "title": "a"},
        )
    )
    assert made["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
        {"type": "file", "file": {"filename": "a", "file_data": "data:image/png;base64,QUJD"}},
    ]


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "any"}, "required"),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_tools_and_their_choice_are_translated(choice: dict[str, Any], made: Any) -> None:
    schema = {"type": "object"}
    tool = {"name": "f", "description": "d", "input_schema": schema}
    chat = translated(
        user(), tools=[tool], tool_choice={**choice, "disable_parallel_tool_use": True}
    )
    function = {"name": "f", "description": "d", "parameters": schema}
    assert chat["tools"] == [{"type": "function", "function": function}]
    assert (chat["tool_choice"], chat["parallel_tool_calls"]) == (made, False)


def test_what_chat_can_say_survives_going_there_and_back() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    body = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "bye"},
        ],
        "max_completion_tokens": 9,
        "stop": ["END"],
        "user": "u7",
        "temperature": 0.5,
        "tools": [tool],
        "tool_choice": "required",
        "reasoning_effort": "low",
    }
    del body["temperature"]  # thinking allows none
    assert messages_to_chat(request_to_messages(body)) == body


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"mcp_servers": [{}]}, "'mcp_servers'"),
        ({"tools": [{"type": "web_search_20250305", "name": "s"}]}, "Anthropic's own"),
        ({"system": [{"type": "image"}]}, "'image'"),
        ({"messages": [user({"type": "search_result"})]}, "'search_result'"),
        ({"messages": [user({"type": "image", "source": {"type": "file"}})]}, "'file'"),
    ],
)
def test_what_chat_cannot_say_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UntranslatableError, match=problem):
        translated(**options)


# --- Answers --------------------------------------------------------------------------------------


def test_a_completion_becomes_a_message() -> None:
    call = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    message = message_from_chat(
        {
            "id": "c",
            "model": "m",
            "choices": [
                {
                    "message": {"content": "Hi", "reasoning_content": "Hm.", "tool_calls": [call]},
                    "finish_reason": "tool_calls",
                }
            ],
            "usage": {
                "prompt_tokens": 10,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 7},
            },
        }
    )
    assert message["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": ""},
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
    ]
    assert message["stop_reason"] == "tool_use"
    assert message["usage"] == {
        "input_tokens": 3,
        "cache_read_input_tokens": 7,
        "cache_creation_input_tokens": 0,
        "output_tokens": 4,
    }


@given(completions())
def test_a_stream_translated_piece_by_piece_is_the_answer_translated_whole(
    payload: dict[str, Any],
) -> None:
    for call in payload["choices"][0]["message"].get("tool_calls", ()):
        call["function"]["arguments"] = json.dumps({"said": call["function"]["arguments"]})
    if payload["choices"][0]["message"].get("content"):
        payload["choices"][0]["message"].pop("refusal", None)
    translator = MessagesFromChat()
    events = [made for piece in split(Api.CHAT, payload) for made in translator.feed(piece)]
    assert assemble(Api.MESSAGES, events + translator.finish()) == message_from_chat(payload)


# --- Over the wire --------------------------------------------------------------------------------

REQUEST = Request(
    api=Api.MESSAGES,
    body={"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi."}]},
)


def test_messages_are_answered_by_an_openai_endpoint() -> None:
    async def main(base_url: str) -> tuple[Reply, list[Piece]]:
        transport = HttpTransport(base_url=base_url)
        reply = await transport.send(REQUEST, timeout_s=5)
        stream = await transport.open(REQUEST, timeout_s=5)
        return reply, [piece async for piece in stream]

    with SimulatedProvider(latency_s=0.0) as provider:
        reply, pieces = asyncio.run(main(provider.base_url))
        counted = provider.counts()
    whole = assemble(Api.MESSAGES, pieces)
    assert (reply.payload["type"], whole["type"]) == ("message", "message")
    assert whole["stop_reason"] == reply.payload["stop_reason"]
    assert pieces[-1] == {"type": "message_stop"}
    used = [reply.usage, usage_of(Api.MESSAGES, whole)]
    assert sum(one.completion_tokens for one in used if one) == counted["completion_tokens"]


def asked(*parts: Part, stream: bool = False) -> None:
    async def main() -> None:
        async with serving(parts) as server:
            transport = HttpTransport(base_url=server.base_url)
            if not stream:
                await transport.send(REQUEST, timeout_s=5)
            else:
                async for _ in await transport.open(REQUEST, timeout_s=5):
                    pass

    asyncio.run(main())


def test_a_call_whose_arguments_are_no_json_is_a_bad_answer() -> None:
    call = {"function": {"name": "f", "arguments": "{"}}
    body = json.dumps({"choices": [{"message": {"tool_calls": [call]}}]}).encode()
    with pytest.raises(BadAnswerError, match="'f' are no JSON"):
        asked(http(body))


def test_a_translated_stream_that_is_cut_is_cut() -> None:
    with pytest.raises(StreamCutError) as cut:
        asked(EVENTS_HEAD, event(chat_chunk("Hi")), b"0\r\n\r\n", stream=True)
    assert cut.value.text == "Hi"
