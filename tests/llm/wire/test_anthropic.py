from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from perfwright.core import ProviderRefusedError
from perfwright.llm import Api, Piece, Request, Usage
from perfwright.llm.testing import SimulatedProvider
from perfwright.llm.wire import HttpTransport, assemble, split, usage_of
from perfwright.llm.wire.anthropic import chat_from_message, request_to_messages
from perfwright.llm.wire.anthropic_parts import UntranslatableError
from perfwright.llm.wire.anthropic_stream import ChatFromMessages

CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Ulm"}'},
}
TOOL = {"type": "function", "function": {"name": "weather", "description": "of a city"}}


def translated(*messages: dict[str, Any], **options: Any) -> dict[str, Any]:
    return request_to_messages({"model": "m", "messages": list(messages), **options})


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


# --- Requests -------------------------------------------------------------------------------------


def test_a_plain_request_gains_the_bound_that_the_form_wants() -> None:
    assert translated(user("hi")) == {
        "model": "m",
        "max_tokens": 4_096,
        "messages": [{"role": "user", "content": "hi"}],
    }


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_callers_bound_is_kept(name: str) -> None:
    assert translated(user("hi"), **{name: 7})["max_tokens"] == 7


def test_instructions_become_the_system_prompt_in_their_order() -> None:
    made = translated(
        {"role": "system", "content": "Be kind."},
        user("hi"),
        {"role": "developer", "content": [{"type": "text", "text": "Be short."}]},
    )
    assert made["system"] == "Be kind.\n\nBe short."
    assert made["messages"] == [{"role": "user", "content": "hi"}]


def test_a_mark_for_the_prompt_cache_is_kept() -> None:
    marked = {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}
    made = translated({"role": "system", "content": [marked]}, user([marked]))
    assert (made["system"], made["messages"][0]["content"]) == ([marked], [marked])


def test_a_tools_call_is_followed_by_all_results_in_one_turn() -> None:
    second = {**CALL, "id": "call_2"}
    made = translated(
        user("weather?"),
        {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL, second]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "sun"}]},
        user("so?"),
    )
    _, asked, told = made["messages"]
    assert [block["type"] for block in asked["content"]] == ["text", "tool_use", "tool_use"]
    assert asked["content"][1] == {
        "type": "tool_use",
        "id": "call_1",
        "name": "weather",
        "input": {"city": "Ulm"},
    }
    assert told == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": "rain"},
            {
                "type": "tool_result",
                "tool_use_id": "call_2",
                "content": [{"type": "text", "text": "sun"}],
            },
            {"type": "text", "text": "so?"},
        ],
    }


def test_images_and_files_become_sources() -> None:
    made = translated(
        user(
            [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD"}},
            ]
        )
    )
    assert made["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
        {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"},
        },
    ]


def test_a_tool_keeps_its_schema() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}}
    assert translated(user("a"), tools=[tool])["tools"] == [
        {"name": "f", "description": "d", "input_schema": schema}
    ]


def test_a_tool_without_parameters_takes_none() -> None:
    (tool,) = translated(user("a"), tools=[TOOL])["tools"]
    assert tool["input_schema"] == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "tool", "name": "f"}),
    ],
)
def test_the_choice_of_tools_is_translated(choice: Any, made: dict[str, str]) -> None:
    assert translated(user("a"), tools=[TOOL], tool_choice=choice)["tool_choice"] == made


def test_calls_one_at_a_time_are_asked_for() -> None:
    made = translated(user("a"), tools=[TOOL], parallel_tool_calls=False)
    assert made["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_options_have_their_counterparts() -> None:
    made = translated(user("a"), stop="END", temperature=1.7, top_p=0.9, user="u7", seed=3, top_k=5)
    assert (made["stop_sequences"], made["temperature"], made["top_p"]) == (["END"], 1.0, 0.9)
    assert (made["metadata"], made["top_k"]) == ({"user_id": "u7"}, 5)
    assert "seed" not in made


def test_an_effort_to_reason_leaves_room_for_the_answer() -> None:
    made = translated(user("a"), reasoning_effort="low", temperature=0.1)
    assert made["thinking"] == {"type": "enabled", "budget_tokens": 1_024}
    assert made["max_tokens"] == 4_096 + 1_024
    assert "temperature" not in made  # the form allows none while it thinks


def test_a_schema_for_the_answer_is_passed_on() -> None:
    schema = {"type": "object"}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    made = translated(user("a"), response_format=wanted)
    assert made["output_config"] == {"format": {"type": "json_schema", "schema": schema}}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"n": 2}, "'n' has no counterpart"),
        ({"logprobs": True}, "'logprobs' has no counterpart"),
        ({"functions": [{}]}, "'functions'"),
        ({"response_format": {"type": "json_object"}}, "json_schema"),
        ({"reasoning_effort": "extreme"}, "minimal, low, medium, high"),
        ({"tools": [TOOL], "tool_choice": "perhaps"}, "'perhaps'"),
    ],
)
def test_what_cannot_be_said_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UntranslatableError, match=problem):
        translated(user("a"), **options)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (user([{"type": "input_audio", "input_audio": {}}]), "'input_audio'"),
        (user([{"type": "image_url", "image_url": {"url": "data:image/png,abc"}}]), "base64"),
        (user([{"text": "a"}]), "no type"),
        ({"role": "function", "content": "x"}, "'function'"),
        ({"role": "assistant", "tool_calls": [{"function": {"arguments": "{"}}]}, "no JSON"),
        ({"role": "system", "content": [{"type": "image_url"}]}, "only hold text"),
    ],
)
def test_a_message_that_cannot_be_said_is_refused(message: dict[str, Any], problem: str) -> None:
    with pytest.raises(UntranslatableError, match=problem):
        translated(message)


def test_a_request_is_not_changed_by_translating_it() -> None:
    body = {"model": "m", "messages": [user([{"type": "text", "text": "a"}])], "tools": [TOOL]}
    before = json.dumps(body)
    request_to_messages(body)
    assert json.dumps(body) == before


# --- Answers --------------------------------------------------------------------------------------

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [
        {"type": "thinking", "thinking": "Rain, I think.", "signature": "sig"},
        {"type": "text", "text": "Let me "},
        {"type": "text", "text": "see."},
        {"type": "tool_use", "id": "tu_1", "name": "weather", "input": {"city": "Ulm"}},
        {"type": "tool_use", "id": "tu_2", "name": "now", "input": {}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 50,
        "output_tokens": 7,
    },
}
AS_CHAT = {
    "role": "assistant",
    "content": "Let me see.",
    "tool_calls": [
        {
            "id": "tu_1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city":"Ulm"}'},
        },
        {"id": "tu_2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
    ],
    "reasoning_content": "Rain, I think.",
    "thinking_blocks": [{"type": "thinking", "thinking": "Rain, I think.", "signature": "sig"}],
}


def test_a_message_becomes_a_completion() -> None:
    completion = chat_from_message(MESSAGE)
    (choice,) = completion["choices"]
    assert choice == {"index": 0, "message": AS_CHAT, "finish_reason": "tool_calls"}
    assert (completion["id"], completion["model"]) == ("msg_1", "claude")


def test_the_usage_is_the_same_in_both_forms() -> None:
    expected = Usage(
        prompt_tokens=160, cached_tokens=100, cache_write_tokens=50, completion_tokens=7
    )
    assert usage_of(Api.MESSAGES, MESSAGE) == expected
    assert usage_of(Api.CHAT, chat_from_message(MESSAGE)) == expected


def test_an_answer_can_be_sent_back_in_the_next_turn() -> None:
    message = chat_from_message(MESSAGE)["choices"][0]["message"]
    made = translated(user("weather?"), message)
    assert made["messages"][1]["content"] == [
        MESSAGE["content"][0],
        {"type": "text", "text": "Let me see."},
        *MESSAGE["content"][3:],
    ]


@pytest.mark.parametrize(
    ("stop_reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
        (None, None),
    ],
)
def test_the_reason_for_the_end_is_translated(stop_reason: str | None, finish: str | None) -> None:
    completion = chat_from_message({"content": [], "stop_reason": stop_reason})
    assert completion["choices"][0]["finish_reason"] == finish


def test_a_stream_translated_piece_by_piece_is_the_answer_translated_whole() -> None:
    translator = ChatFromMessages()
    chunks = [chunk for event in split(Api.MESSAGES, MESSAGE) for chunk in translator.feed(event)]
    assert assemble(Api.CHAT, chunks) == chat_from_message(MESSAGE)


def test_thoughts_that_come_in_pieces_keep_their_signature() -> None:
    def delta(index: int, kind: str, **fields: str) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}

    def start(index: int, **block: Any) -> dict[str, Any]:
        return {"type": "content_block_start", "index": index, "content_block": block}

    events = [
        {"type": "message_start", "message": {"id": "msg", "usage": {"input_tokens": 9}}},
        start(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="Hm, "),
        delta(0, "thinking_delta", thinking="yes."),
        delta(0, "signature_delta", signature="sig"),
        {"type": "content_block_stop", "index": 0},
        start(1, type="redacted_thinking", data="xyz"),
        start(2, type="server_tool_use", name="web_search"),
        start(3, type="text", text=""),
        delta(3, "text_delta", text="Yes."),
        delta(3, "citations_delta"),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]
    translator = ChatFromMessages()
    chunks = [chunk for event in events for chunk in translator.feed(event)]
    whole = assemble(Api.CHAT, chunks)
    assert whole["choices"][0]["message"] == {
        "role": "assistant",
        "content": "Yes.",
        "reasoning_content": "Hm, yes.",
        "thinking_blocks": [
            {"type": "thinking", "thinking": "Hm, yes.", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xyz"},
        ],
    }
    assert usage_of(Api.CHAT, whole) == Usage(prompt_tokens=9, completion_tokens=5)


def test_events_that_say_nothing_in_chats_terms_give_no_chunk() -> None:
    translator = ChatFromMessages()
    events: list[dict[str, Any]] = [{"type": "ping"}, {"type": "message_stop"}, {"type": "new"}, {}]
    assert [translator.feed(event) for event in events] == [[], [], [], []]


# --- Over the wire --------------------------------------------------------------------------------

CHAT = Request(body={"model": "claude-4", "messages": [user("Say something.")]})


def test_a_chat_request_is_answered_by_an_anthropic_endpoint() -> None:
    async def main(base_url: str) -> Usage | None:
        transport = HttpTransport(base_url=base_url, form="anthropic", api_key="k")
        reply = await transport.send(CHAT, timeout_s=5)
        assert reply.payload["choices"][0]["message"]["content"]
        assert (reply.payload["object"], reply.raw) == ("chat.completion", None)
        return reply.usage

    with SimulatedProvider(latency_s=0.0) as provider:
        usage = asyncio.run(main(provider.base_url))
        assert usage is not None
        assert usage.completion_tokens == provider.counts()["completion_tokens"]


def test_a_chat_stream_comes_from_an_anthropic_endpoint_in_chunks() -> None:
    async def main(base_url: str) -> list[Piece]:
        transport = HttpTransport(base_url=base_url, form="anthropic", api_key="k")
        stream = await transport.open(CHAT, timeout_s=5)
        return [piece async for piece in stream]

    with SimulatedProvider(latency_s=0.0) as provider:
        pieces = asyncio.run(main(provider.base_url))
        whole = assemble(Api.CHAT, pieces)
        counted = provider.counts()
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"]["completion_tokens"] == counted["completion_tokens"]
    assert "".join(piece.text for piece in pieces) == whole["choices"][0]["message"]["content"]


def test_messages_go_to_an_anthropic_endpoint_as_they_are() -> None:
    raw = b'{"model": "claude-4", "max_tokens": 9,  "messages": [{"role":"user","content":"a"}]}'
    request = Request(api=Api.MESSAGES, body=json.loads(raw), raw=raw)

    async def main(base_url: str) -> tuple[dict[str, Any], dict[str, Any]]:
        transport = HttpTransport(base_url=base_url, form="anthropic", api_key="k")
        reply = await transport.send(request, timeout_s=5)
        stream = await transport.open(request, timeout_s=5)
        return reply.payload, assemble(Api.MESSAGES, [piece async for piece in stream])

    with SimulatedProvider(latency_s=0.0) as provider:
        whole, streamed = asyncio.run(main(provider.base_url))
    assert (whole["type"], streamed["type"]) == ("message", "message")
    assert streamed["content"] == whole["content"]


def test_a_request_that_cannot_be_translated_is_refused_unsent() -> None:
    transport = HttpTransport(base_url="http://127.0.0.1:9/v1", form="anthropic", name="claude")
    request = Request(body={"model": "m", "messages": [], "n": 3})
    with pytest.raises(ProviderRefusedError, match=r"'claude'.*'n'.*not sent"):
        asyncio.run(transport.send(request, timeout_s=5))
