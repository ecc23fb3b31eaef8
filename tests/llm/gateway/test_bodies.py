"""Any bytes are a request, or are refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm.gateway.bodies import decode
from perfwright.llm.gateway.problems import Problem
from perfwright.llm.requests import Api


@given(st.binary())
def test_any_bytes_are_an_object_or_a_refusal(raw: bytes) -> None:
    body = decode(raw, api=Api.CHAT)
    assert isinstance(body, dict) or body.status == 400


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), _JSON))
def test_an_object_is_read_as_it_was_written(value: dict[str, object]) -> None:
    value = {f"x{name}": each for name, each in value.items()}  # no field whose shape is checked
    try:
        raw = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return
    assert decode(raw, api=Api.CHAT) == value


@given(st.text(min_size=1), st.integers(0, 30))
def test_the_place_of_a_mistake_is_told(text: str, at: int) -> None:
    whole = json.dumps({"model": "m", "text": text})
    cut = whole[: min(at, len(whole) - 1)]
    problem = decode(cut.encode(), api=Api.CHAT)
    assert isinstance(problem, Problem)
    assert "line 1" in problem.text or "empty" in problem.text


USER = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("api", "fields", "says"),
    [
        (Api.CHAT, {"messages": 5}, "messages must be an array, not a number"),
        (Api.CHAT, {"messages": [5]}, r"messages\[0\] must be an object, not a number"),
        (Api.CHAT, {"messages": [USER, {"content": 5}]}, r"messages\[1\].content must be a string"),
        (Api.MESSAGES, {"messages": [{"content": [5]}]}, r"messages\[0\].content\[0\] must be an"),
        (Api.MESSAGES, {"messages": [5]}, r"messages\[0\] must be an object"),
        (Api.CHAT, {"messages": [{"tool_calls": [1]}]}, r"tool_calls\[0\] must be an object"),
        (Api.CHAT, {"messages": [{"tool_calls": "x"}]}, "tool_calls must be an array"),
        (Api.CHAT, {"stream": True, "stream_options": 5}, "stream_options must be an object"),
        (Api.CHAT, {"stream": True, "stream_options": [1]}, "an object, not an array"),
        (Api.CHAT, {"tools": [5]}, r"tools\[0\] must be an object"),
        (Api.CHAT, {"response_format": 7}, "response_format must be an object"),
        (Api.MESSAGES, {"system": [5]}, r"system\[0\] must be an object"),
        (Api.MESSAGES, {"tool_choice": "auto"}, "tool_choice must be an object, not a string"),
        (Api.RESPONSES, {"input": [5]}, r"input\[0\] must be an object"),
        (Api.EMBEDDINGS, {"input": 5}, "input must be a string or an array"),
    ],
)
def test_a_field_of_the_wrong_shape_is_refused_by_name(
    api: Api, fields: dict[str, Any], says: str
) -> None:
    problem = decode(json.dumps(fields).encode(), api=api)
    assert isinstance(problem, Problem)
    assert problem.status == 400
    assert re.search(says, problem.text), problem.text


@pytest.mark.parametrize(
    ("api", "fields"),
    [
        (Api.CHAT, {"messages": [{"role": "assistant", "content": None}], "tools": None}),
        (Api.CHAT, {"tool_choice": "auto", "stop": "x", "stream_options": None}),
        (Api.CHAT, {"messages": [{"content": [{"type": "text", "text": "a"}]}]}),
        (Api.RESPONSES, {"input": "text"}),
        (Api.EMBEDDINGS, {"input": [[1, 2], [3]]}),
        (Api.EMBEDDINGS, {"input": ["a", "b"]}),
        (Api.MESSAGES, {"system": "be brief", "tool_choice": {"type": "auto"}}),
    ],
)
def test_what_the_interfaces_allow_is_read(api: Api, fields: dict[str, Any]) -> None:
    assert decode(json.dumps(fields).encode(), api=api) == fields
