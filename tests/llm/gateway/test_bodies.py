"""Any bytes are a request, or are refused."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm.gateway.bodies import decode
from perfwright.llm.gateway.problems import Problem


@given(st.binary())
def test_any_bytes_are_an_object_or_a_refusal(raw: bytes) -> None:
    body = decode(raw)
    assert isinstance(body, dict) or body.status == 400


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), _JSON))
def test_an_object_is_read_as_it_was_written(value: dict[str, object]) -> None:
    value.pop("model", None), value.pop("stream", None)
    try:
        raw = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return
    assert decode(raw) == value


@given(st.text(min_size=1), st.integers(0, 30))
def test_the_place_of_a_mistake_is_told(text: str, at: int) -> None:
    whole = json.dumps({"model": "m", "text": text})
    cut = whole[: min(at, len(whole) - 1)]
    problem = decode(cut.encode())
    assert isinstance(problem, Problem)
    assert "line 1" in problem.text or "empty" in problem.text
