from __future__ import annotations

import json
import random
from typing import Any

from perfwright.llm import CallTrace, Request
from perfwright.llm.telemetry.content import content_of
from perfwright.llm.telemetry.facts import Facts


def contents(body: dict[str, Any], payload: dict[str, Any]) -> tuple[Any, Any]:
    """Return what is recorded of the conversation, and of the answer."""
    trace = CallTrace("chat", start_s=0.0, rng=random.Random(1))
    trace.facts.update(request=Request(body=body), payload=payload)
    found = content_of(Facts(trace))
    return (
        json.loads(found.get("gen_ai.input.messages", "null")),
        json.loads(found.get("gen_ai.output.messages", "null")),
    )


def text(content: str) -> dict[str, str]:
    return {"type": "text", "content": content}


def test_calls_of_tools_and_their_results_are_parts() -> None:
    call = {"id": "1", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    asked, _ = contents(
        {
            "messages": [
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "1", "content": "rain"},
            ]
        },
        {},
    )
    named = {"id": "1", "name": "weather", "arguments": '{"city": "Paris"}'}
    assert asked == [
        {"role": "assistant", "parts": [{"type": "tool_call", **named}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "rain"}]},
    ]


def test_of_an_image_only_its_kind_is_recorded() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    asked, _ = contents(
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "what?"}, image]}]}, {}
    )
    assert asked[0]["parts"] == [text("what?"), {"type": "image_url"}]


def test_an_answer_in_anthropics_form_is_read() -> None:
    payload = {
        "role": "assistant",
        "content": [{"type": "text", "text": "hello"}],
        "stop_reason": "end_turn",
    }
    _, came = contents({}, payload)
    assert came == [{"role": "assistant", "parts": [text("hello")], "finish_reason": "end_turn"}]


def test_an_answer_of_the_responses_interface_is_read() -> None:
    message = {"role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}
    payload = {"status": "completed", "output": [{"type": "reasoning"}, message]}
    asked, came = contents({"input": "hi"}, payload)
    assert asked == [{"role": "user", "parts": [text("hi")]}]
    assert came == [{"role": "assistant", "parts": [text("hello")], "finish_reason": "completed"}]


def test_nothing_said_is_nothing_recorded() -> None:
    assert contents({"input": [1, 2]}, {}) == (None, None)
