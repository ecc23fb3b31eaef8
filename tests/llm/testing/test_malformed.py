"""Whatever a body holds, the simulated provider answers, as a real one would."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfwright.llm.testing import SimulatedProvider
from tests.llm.testing.asking import Answered, chat, post, raw

PROMPTS: dict[str, dict[str, Any]] = {
    "/chat/completions": chat(),
    "/messages": chat(max_tokens=5),
    "/responses": {"model": "sim", "input": "hello"},
    "/embeddings": {"model": "sim", "input": "hello"},
}
CHAT = "/chat/completions"


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema, "minItems": 100}
    return {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        (CHAT, "n", 1_000_000_000),
        (CHAT, "n", "x"),
        (CHAT, "n", -1),
        (CHAT, "n", 0),
        (CHAT, "n", True),
        (CHAT, "n", 10**30),
        (CHAT, "max_tokens", -1),
        (CHAT, "max_tokens", "many"),
        (CHAT, "temperature", "warm"),
        (CHAT, "temperature", 3),
        (CHAT, "stream", "yes"),
        (CHAT, "stream_options", 5),
        (CHAT, "stream_options", [1]),
        (CHAT, "tools", 5),
        (CHAT, "tools", [5]),
        (CHAT, "tools", [{"function": 5}]),
        (CHAT, "tools", [{"function": {"name": "a", "parameters": {"properties": 5}}}]),
        (CHAT, "tool_choice", 5),
        (CHAT, "response_format", 7),
        (CHAT, "response_format", {"type": "json_schema", "json_schema": {"schema": 5}}),
        (CHAT, "response_format", nested(9)),
        (CHAT, "messages", 5),
        (CHAT, "messages", [5]),
        (CHAT, "messages", []),
        (CHAT, "messages", [{"role": "user", "content": 5}]),
        (CHAT, "messages", [{"role": "nobody", "content": "hello"}]),
        (CHAT, "messages", [{"content": "hello"}]),
        (CHAT, "model", 5),
        (CHAT, "model", None),
        ("/messages", "messages", [{"role": "user", "content": 5}]),
        ("/messages", "system", 5),
        ("/messages", "max_tokens", "x"),
        ("/responses", "input", 5),
        ("/responses", "input", [5]),
        ("/responses", "text", 5),
        ("/embeddings", "input", 5),
        ("/embeddings", "input", []),
        ("/embeddings", "input", [None]),
        ("/embeddings", "input", ["a", 5]),
        ("/embeddings", "dimensions", 10**9),
        ("/embeddings", "dimensions", -1),
        ("/embeddings", "encoding_format", "roman"),
    ],
)
def test_a_malformed_field_is_refused_by_name(
    shared: SimulatedProvider, path: str, field: str, value: Any
) -> None:
    refused = post(shared, path, PROMPTS[path] | {field: value})
    assert refused.status == 400
    error = refused.json["error"]
    assert error["type"] == "invalid_request_error"
    assert field in error["message"]
    if path != "/messages":
        assert error["param"].split(".")[0].split("[")[0] == field


def test_a_field_may_be_null(shared: SimulatedProvider) -> None:
    names = ("n", "max_tokens", "stream", "stream_options", "tools", "tool_choice", "input", "stop")
    assert post(shared, CHAT, chat() | dict.fromkeys(names)).status == 200


@pytest.mark.parametrize("n", [1, 128])
def test_as_many_choices_come_as_were_asked_for(shared: SimulatedProvider, n: int) -> None:
    answer = post(shared, CHAT, chat(n=n)).json
    assert len(answer["choices"]) == n
    assert answer["usage"]["completion_tokens"] == 16 * n


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"5", b'"\xff"', b"[" * 100_000, b'{"model": "\\ud800"}', b"\xff\xfe"],
)
@pytest.mark.parametrize("path", [*PROMPTS, "/batches", "/messages/batches", "/files"])
def test_what_is_no_json_object_is_refused(
    shared: SimulatedProvider, path: str, body: bytes
) -> None:
    assert_refused(post(shared, path, body))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/batches", {"input_file_id": 5, "endpoint": []}),
        ("/batches", {"input_file_id": {}, "endpoint": {}}),
        ("/messages/batches", {}),
        ("/messages/batches", {"requests": 5}),
        ("/messages/batches", {"requests": [5]}),
        ("/messages/batches", {"requests": [{"custom_id": 5, "params": {}}]}),
        ("/messages/batches", {"requests": [{"custom_id": "a", "params": 5}]}),
    ],
)
def test_a_malformed_batch_is_refused(
    shared: SimulatedProvider, path: str, body: dict[str, Any]
) -> None:
    assert_refused(post(shared, path, body))


@pytest.mark.parametrize("line", [b"{", b"5", b"{}", b'{"custom_id": "a", "body": 5}', b"\xff"])
def test_a_file_of_malformed_lines_makes_no_batch(shared: SimulatedProvider, line: bytes) -> None:
    form = (
        b'--XX\r\ncontent-disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n'
        + line
        + b"\r\n--XX--\r\n"
    )
    headers = {"content-type": "multipart/form-data; boundary=XX"}
    file = post(shared, "/files", form, headers=headers).json
    order = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions"}
    assert_refused(post(shared, "/batches", order))


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: -5",
        b'POST /v1/chat/completions HTTP/1.1\r\ncontent-length: "x"\\',
        b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n-1",
        b"POST /v1/chat/completions",
    ],
)
def test_a_malformed_head_is_refused(shared: SimulatedProvider, head: bytes) -> None:
    answer = raw(shared, head + b"\r\n\r\n", until=b"}}")
    first, _, body = answer.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


KINDS = (
    "object array integer json_schema json_object function base64 tool_result function_call_output"
)
NAMES = (
    "type function name parameters input_schema properties items enum anyOf minItems minimum "
    "default json_schema schema text format role content tool_calls include_usage cache_control"
)
FIELDS = (
    "model messages input n stream stream_options tools tool_choice response_format text system "
    "instructions max_tokens max_completion_tokens max_output_tokens dimensions encoding_format "
    "stop temperature"
)
KEYS = st.text(max_size=4) | st.sampled_from(NAMES.split())
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**25), max_value=10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["user", "tool", "none", *KINDS.split()]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
CHANGES = st.dictionaries(st.sampled_from(FIELDS.split()), VALUES, min_size=1, max_size=4)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(sorted(PROMPTS)), CHANGES)
def test_every_body_gets_an_answer_or_a_refusal(
    shared: SimulatedProvider, path: str, changes: dict[str, Any]
) -> None:
    answered = post(shared, path, PROMPTS[path] | changes)
    if answered.status == 200:
        assert answered.body
    else:
        assert_refused(answered)


def assert_refused(answered: Answered) -> None:
    assert answered.status == 400, answered.body
    error = answered.json["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]
