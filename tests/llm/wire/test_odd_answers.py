"""Whatever JSON a server sends, the caller gets an answer or one of our errors, never a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from perfwright.core import ProviderError
from perfwright.llm import Api, Reply
from perfwright.llm.wire import Form
from perfwright.llm.wire.answers import reply_of
from perfwright.llm.wire.decoding import StreamDecoder
from perfwright.llm.wire.failures import failed


def words_of(text: str) -> list[str]:
    return text.split()


NAMES = words_of(
    "choices delta message content text tool_calls function arguments index finish_reason usage "
    "prompt_tokens completion_tokens prompt_tokens_details cached_tokens input_tokens type error "
    "code response status output item data content_block partial_json reasoning_content name id "
    "refusal thinking signature stop_reason detail"
)
WORDS = words_of(
    "error message_start message_stop message_delta content_block_start content_block_delta "
    "content_block_stop text_delta input_json_delta tool_use text thinking response.failed "
    "response.completed response.output_text.delta stop failed rate_limit_error"
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.just(0.5) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(NAMES), values, max_size=5)
FORMS: list[tuple[Api, Form]] = [
    (Api.CHAT, "openai"),
    (Api.CHAT, "anthropic"),
    (Api.MESSAGES, "anthropic"),
    (Api.MESSAGES, "openai"),
    (Api.RESPONSES, "openai"),
    (Api.EMBEDDINGS, "openai"),
]


@pytest.mark.parametrize(("api", "form"), FORMS)
@settings(max_examples=40)
@given(payload=objects)
@example(payload={"choices": [{"message": 5}]})
@example(payload={"choices": [{"message": {"content": [1], "tool_calls": [2]}}]})
@example(payload={"content": [{"type": "text", "text": 3}], "usage": {"input_tokens": "many"}})
@example(payload={"choices": [{}], "usage": {"prompt_tokens": "3"}})
def test_an_answer_of_any_shape_is_an_answer_or_an_error(
    api: Api, form: Form, payload: dict[str, Any]
) -> None:
    reply: Reply | None
    try:
        reply = reply_of(api, json.dumps(payload).encode(), headers={}, form=form, endpoint="e")
    except ProviderError:
        reply = None
    assert reply is None or reply.usage is None or reply.usage.total_tokens >= 0


@pytest.mark.parametrize(("api", "form"), FORMS)
@settings(max_examples=40)
@given(payloads=st.lists(objects, max_size=4))
def test_a_stream_of_any_shape_gives_pieces_or_an_error(
    api: Api, form: Form, payloads: list[dict[str, Any]]
) -> None:
    decoder = StreamDecoder(api=api, form=form, headers={}, endpoint="e")
    events = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in payloads)
    pieces = decoder.feed(events)
    if decoder.failure is None and not decoder.is_ended:
        pieces += decoder.finish()
    assert decoder.is_complete or decoder.failure is not None
    assert all(isinstance(piece, dict) for piece in pieces)


@given(st.integers(300, 599), values)
def test_a_failing_answer_of_any_shape_is_an_error(status: int, payload: Any) -> None:
    error = failed(status, json.dumps(payload).encode(), headers={}, endpoint="e")
    assert error.problem
