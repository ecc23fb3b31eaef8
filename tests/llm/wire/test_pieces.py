from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm import Api
from perfwright.llm.wire import assemble, piece_sizes, split, usage_of

texts = st.text(max_size=120)
sizes = st.none() | st.lists(st.integers(0, 40), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, values, max_size=3)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


# --- Chat -----------------------------------------------------------------------------------------

calls = st.lists(
    st.fixed_dictionaries(
        {
            "id": texts,
            "type": st.just("function"),
            "function": st.fixed_dictionaries({"name": texts, "arguments": texts}),
        }
    ),
    min_size=1,
    max_size=3,
)
messages = st.builds(
    lambda role, rest: {"role": role, **rest},
    st.just("assistant"),
    optional(
        content=st.none() | texts,
        refusal=st.none() | texts,
        reasoning_content=texts,
        tool_calls=calls,
        annotations=st.just([]),
    ),
)
logprobs = st.none() | st.fixed_dictionaries(
    {"content": st.lists(st.fixed_dictionaries({"token": texts, "logprob": st.floats(-9, 0)}))}
)
reasons = st.sampled_from(["stop", "length", "tool_calls"])


@st.composite
def completions(draw: st.DrawFn) -> dict[str, Any]:
    choices = [
        {
            "index": index,
            "message": draw(messages),
            "finish_reason": draw(reasons),
            **draw(optional(logprobs=logprobs)),
        }
        for index in range(draw(st.integers(1, 3)))
    ]
    fixed = {"id": "c-1", "object": "chat.completion", "created": 5, "model": "m"}
    usage = st.just({"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12})
    extra = optional(usage=usage, system_fingerprint=st.none() | st.just("fp"), citations=values)
    return {**fixed, "choices": choices, **draw(extra)}


@given(completions(), sizes)
def test_a_completion_survives_being_split(payload: dict[str, Any], cuts: list[int] | None) -> None:
    whole = json.dumps(payload)
    assert assemble(Api.CHAT, split(Api.CHAT, payload, sizes=cuts)) == payload
    assert json.dumps(payload) == whole


@given(texts, st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_a_text_is_cut_at_the_sizes_it_came_in(text: str, cuts: list[int]) -> None:
    message = {"role": "assistant", "content": text}
    payload = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    once = split(Api.CHAT, payload, sizes=cuts)
    found = piece_sizes(once)
    asked = found[:-1][: len(cuts)]  # the last is what was left
    assert asked == cuts[: len(asked)]
    assert split(Api.CHAT, payload, sizes=found) == once


def test_the_usage_comes_last_without_a_choice() -> None:
    payload = {
        "choices": [{"index": 0, "message": {"content": "a"}}],
        "usage": {"prompt_tokens": 1},
    }
    assert split(Api.CHAT, payload)[-1] == {"choices": [], "usage": {"prompt_tokens": 1}}


def test_tool_calls_that_come_mixed_are_sorted_out() -> None:
    def delta(*calls: dict[str, Any]) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": {"tool_calls": list(calls)}}]}

    pieces = [
        delta(
            {"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": ""}}
        ),
        delta(
            {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}
        ),
        delta(
            {"index": 1, "function": {"arguments": "1"}},
            {"index": 0, "function": {"arguments": "}"}},
        ),
    ]
    message = assemble(Api.CHAT, pieces)["choices"][0]["message"]
    found = [(call["id"], call["function"]["arguments"]) for call in message["tool_calls"]]
    assert found == [("a", "{}"), ("b", "1")]


def test_assembling_does_not_change_the_pieces() -> None:
    piece = {
        "choices": [{"index": 0, "delta": {"content": "a", "tags": ["x"], "more": {"k": "v"}}}]
    }
    before = json.dumps(piece)
    assemble(Api.CHAT, [piece, piece, piece])
    assert json.dumps(piece) == before


def test_a_first_piece_with_filter_results_and_no_model_does_not_hide_the_model() -> None:
    first = {"id": "", "model": "", "choices": [], "prompt_filter_results": [1]}
    second = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "a"}}]}
    whole = assemble(Api.CHAT, [first, second])
    assert (whole["id"], whole["model"], whole["prompt_filter_results"]) == ("c", "m", [1])


# --- Anthropic's messages -------------------------------------------------------------------------

blocks = st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": texts})
    | st.fixed_dictionaries(
        {"type": st.just("text"), "text": texts, "citations": st.just([{"a": 1}])}
    )
    | st.fixed_dictionaries({"type": st.just("thinking"), "thinking": texts, "signature": texts})
    | st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": texts})
    | st.fixed_dictionaries(
        {"type": st.just("tool_use"), "id": texts, "name": texts, "input": objects}
    ),
    max_size=4,
)


@given(blocks, sizes, st.none() | st.sampled_from(["end_turn", "tool_use"]))
def test_a_message_survives_being_split(
    content: list[Any], cuts: list[int] | None, reason: str | None
) -> None:
    payload = {
        "id": "msg",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 7},
    }
    pieces = split(Api.MESSAGES, payload, sizes=cuts)
    assert assemble(Api.MESSAGES, pieces) == payload
    assert pieces[-1] == {"type": "message_stop"}


# --- Responses ------------------------------------------------------------------------------------

parts = st.lists(
    st.fixed_dictionaries(
        {"type": st.just("output_text"), "text": texts, "annotations": st.just([])}
    )
    | st.fixed_dictionaries({"type": st.just("refusal"), "refusal": texts}),
    max_size=3,
)
items = st.lists(
    st.fixed_dictionaries(
        {"type": st.just("message"), "id": texts, "status": st.just("completed"), "content": parts}
    )
    | st.fixed_dictionaries(
        {"type": st.just("function_call"), "call_id": texts, "arguments": texts}
    )
    | st.fixed_dictionaries({"type": st.just("reasoning"), "id": texts, "summary": st.just([])}),
    max_size=3,
)


@given(items, sizes, st.sampled_from(["completed", "incomplete"]))
def test_a_response_survives_being_split(
    output: list[Any], cuts: list[int] | None, status: str
) -> None:
    payload = {"id": "resp", "status": status, "output": output, "usage": {"input_tokens": 1}}
    pieces = split(Api.RESPONSES, payload, sizes=cuts)
    assert assemble(Api.RESPONSES, pieces) == payload
    assert [piece["sequence_number"] for piece in pieces] == list(range(len(pieces)))


@given(items)
def test_of_a_response_that_was_cut_the_finished_items_remain(output: list[Any]) -> None:
    pieces = split(Api.RESPONSES, {"id": "resp", "status": "completed", "output": output})[:-1]
    assert assemble(Api.RESPONSES, pieces)["output"] == output


@given(items)
def test_the_texts_of_a_responses_pieces_are_its_text(output: list[Any]) -> None:
    pieces = split(Api.RESPONSES, {"status": "completed", "output": output})
    text = "".join(
        part["text"]
        for item in output
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "output_text"
    )
    assert "".join(piece.text for piece in pieces) == text


def test_embeddings_are_one_piece() -> None:
    payload = {"data": [{"embedding": [0.5]}]}
    assert assemble(Api.EMBEDDINGS, split(Api.EMBEDDINGS, payload)) == payload


# --- Usage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "payload", "expected"),
    [
        (
            Api.CHAT,
            {
                "usage": {
                    "prompt_tokens": 10,
                    "completion_tokens": 7,
                    "prompt_tokens_details": {"cached_tokens": 4},
                    "completion_tokens_details": {"reasoning_tokens": 5},
                }
            },
            (10, 4, 0, 7, 5),
        ),
        (Api.CHAT, {"usage": {"prompt_tokens": 9, "prompt_cache_hit_tokens": 3}}, (9, 3, 0, 0, 0)),
        (Api.CHAT, {"usage": {"prompt_tokens": 9, "prompt_tokens_details": None}}, (9, 0, 0, 0, 0)),
        (
            Api.RESPONSES,
            {
                "usage": {
                    "input_tokens": 10,
                    "output_tokens": 7,
                    "input_tokens_details": {"cached_tokens": 4},
                    "output_tokens_details": {"reasoning_tokens": 5},
                }
            },
            (10, 4, 0, 7, 5),
        ),
        (
            Api.RESPONSES,
            {"type": "response.completed", "response": {"usage": {"input_tokens": 2}}},
            (2, 0, 0, 0, 0),
        ),
        (
            Api.MESSAGES,
            {
                "usage": {
                    "input_tokens": 10,
                    "cache_read_input_tokens": 100,
                    "cache_creation_input_tokens": 50,
                    "output_tokens": 7,
                }
            },
            (160, 100, 50, 7, 0),
        ),
        (Api.MESSAGES, {"message": {"usage": {"input_tokens": 3}}}, (3, 0, 0, 0, 0)),
        (Api.EMBEDDINGS, {"usage": {"prompt_tokens": 8, "total_tokens": 8}}, (8, 0, 0, 0, 0)),
    ],
)
def test_usage_is_read_in_every_form(
    api: Api, payload: dict[str, Any], expected: tuple[int, ...]
) -> None:
    usage = usage_of(api, payload)
    assert usage is not None
    assert expected == (
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.completion_tokens,
        usage.reasoning_tokens,
    )


@pytest.mark.parametrize("payload", [{}, {"usage": None}, {"response": {}}, {"message": "x"}])
def test_without_a_count_there_is_no_usage(payload: dict[str, Any]) -> None:
    assert usage_of(Api.CHAT, payload) is None
