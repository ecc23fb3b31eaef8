"""Whatever a caller's body holds, it is sent or refused with what is wrong with it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfwright.core import ProviderRefusedError
from perfwright.llm import Api, Request
from perfwright.llm.wire import Form
from perfwright.llm.wire.bodies import encoded, stream_body, whole_body
from tests.llm.wire.test_odd_answers import words_of

NAMES = words_of(
    "role content type text image_url url file file_data tool_calls function name arguments "
    "id thinking_blocks refusal cache_control tool_use_id input source media_type data title "
    "tool_call_id parameters input_schema budget_tokens schema json_schema format user_id"
)
WORDS = words_of(
    "user assistant system tool developer text image_url file image document tool_result "
    "tool_use function auto enabled json_schema base64 url data:image/png;base64,aa {} high"
)
FIELDS = words_of(
    "messages system tools tool_choice max_tokens max_completion_tokens temperature stop user "
    "n stop_sequences metadata thinking reasoning_effort response_format output_config "
    "parallel_tool_calls stream_options"
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.just(0.5) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=10,
)
messages = st.lists(st.dictionaries(st.sampled_from(NAMES), values, max_size=4), max_size=3)
bodies = st.fixed_dictionaries(
    {"messages": messages | values}, optional=dict.fromkeys(FIELDS[1:], values)
)
FORMS: list[tuple[Api, Form]] = [
    (Api.CHAT, "openai"),
    (Api.CHAT, "anthropic"),
    (Api.MESSAGES, "anthropic"),
    (Api.MESSAGES, "openai"),
]


def refusal_of(api: Api, body: dict[str, Any], *, form: Form) -> str:
    with pytest.raises(ProviderRefusedError) as refused:
        whole_body(Request(api=api, body=body), form=form, endpoint="e")
    return refused.value.problem


@pytest.mark.parametrize(("api", "form"), FORMS)
@settings(max_examples=150)
@given(body=bodies)
def test_a_body_of_any_shape_is_sent_or_refused(api: Api, form: Form, body: dict[str, Any]) -> None:
    request = Request(api=api, body=body)
    refusal: ProviderRefusedError | None = None
    try:
        whole = whole_body(request, form=form, endpoint="e")
        streamed = stream_body(request, form=form, endpoint="e", with_usage=True)
        assert encoded(whole)
        assert streamed["stream"] is True
    except ProviderRefusedError as error:
        refusal = error
    assert refusal is None or refusal.problem.endswith("; the request was not sent")


@pytest.mark.parametrize("form", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ({"messages": 5}, "'messages' is a number, not a list"),
        ({"messages": {"role": "user"}}, "'messages' is an object, not a list"),
        ({"messages": [5]}, "'messages[0]' is a number, not an object"),
        ({"messages": ["hi"]}, "'messages[0]' is a text, not an object"),
        ({"messages": [{"role": "user", "content": 5}]}, "'messages[0].content' is a number"),
        ({"messages": [{"role": "user", "content": [5]}]}, "'messages[0].content[0]' is a number"),
        ({"messages": [], "tools": 5}, "'tools' is a number, not a list"),
        ({"messages": [], "tools": [5]}, "'tools[0]' is a number, not an object"),
    ],
)
def test_the_part_of_a_body_that_cannot_be_translated_is_named(
    form: Form, part: dict[str, Any], problem: str
) -> None:
    api = Api.MESSAGES if form == "openai" else Api.CHAT
    found = refusal_of(api, {"model": "m", **part}, form=form)
    assert found.startswith(problem)


def test_a_body_that_is_wrong_deeper_down_is_refused() -> None:
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": 5}}]}
    found = refusal_of(Api.CHAT, {"model": "m", "messages": [call]}, form="anthropic")
    assert re.search(r"not what the format .*says", found)


@pytest.mark.parametrize("options", [5, [1], "usage", True])
def test_stream_options_that_are_no_object_are_refused(options: object) -> None:
    request = Request(body={"model": "m", "messages": [], "stream_options": options})
    with pytest.raises(ProviderRefusedError, match=r"'stream_options' is .*, not an object"):
        stream_body(request, form="openai", endpoint="e", with_usage=True)


def test_a_refusal_before_sending_is_the_callers_to_mend() -> None:
    body = {"model": "m", "messages": [], "logprobs": True}
    for bad in (body, {"model": "m", "messages": 5}):
        with pytest.raises(ProviderRefusedError) as refused:
            whole_body(Request(body=bad), form="anthropic", endpoint="e")
        assert refused.value.status == 400
