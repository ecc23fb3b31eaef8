"""Token counts before the call: from the text, and then from what providers counted."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm import Api, Request, Usage
from perfwright.llm.cost import TokenEstimator
from perfwright.llm.cost.learned import Window
from perfwright.llm.cost.sizes import prompt_bytes, prompt_size, text_tokens
from tests.llm.cost.calls import ask

PART = [{"type": "text", "text": "a" * 40}]


def taught(request: Request, usage: Usage, *, times: int) -> TokenEstimator:
    estimator = TokenEstimator()
    for _ in range(times):
        estimator.learn(request, usage)
    return estimator


def test_english_has_four_characters_to_a_token() -> None:
    assert text_tokens("word " * 100) == 125


@pytest.mark.parametrize(
    ("text", "fewest", "most"),
    [("привет мир " * 20, 80, 160), ("你好世界" * 20, 50, 110), ("🙂" * 20, 20, 60)],
)
def test_other_scripts_have_fewer_characters_to_a_token(
    text: str, fewest: float, most: float
) -> None:
    assert fewest <= text_tokens(text) <= most


def test_tools_count_as_a_part_of_the_prompt() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "d" * 400}}
    assert prompt_size(ask(tools=[tool]))[0] > prompt_size(ask())[0] + 100


def test_an_image_counts_more_in_full_than_in_low_detail() -> None:
    def size(**image: str) -> float:
        part = {"type": "image_url", "image_url": {"url": "https://host/p.png"} | image}
        return prompt_size(ask(messages=[{"role": "user", "content": [part]}]))[0]

    assert size() == 765
    assert size(detail="low") == 85


@pytest.mark.parametrize(
    ("api", "body", "tokens"),
    [
        (Api.EMBEDDINGS, {"input": "a" * 400}, 100),
        (Api.EMBEDDINGS, {"input": ["a" * 40, "b" * 40]}, 20),
        (Api.EMBEDDINGS, {"input": [1, 2, 3]}, 3),
        (Api.EMBEDDINGS, {"input": [[1, 2], [3]]}, 3),
        (Api.RESPONSES, {"input": "a" * 400, "instructions": "b" * 40}, 110),
        (Api.RESPONSES, {"input": [{"role": "user", "content": "a" * 400}]}, 100),
        (Api.MESSAGES, {"messages": [{"role": "user", "content": PART}], "system": "b" * 40}, 20),
    ],
)
def test_every_form_of_request_is_measured(api: Api, body: dict[str, object], tokens: int) -> None:
    assert prompt_size(Request(api=api, body={"model": "m"} | body))[0] == tokens


def test_a_tool_call_in_the_conversation_is_measured() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "x" * 400}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    assert prompt_size(ask(messages=[message]))[0] > 100


@pytest.mark.parametrize(
    "body",
    [{}, {"messages": "no"}, {"messages": [{}]}, {"messages": [None, 7]}, {"input": None}],
)
def test_a_body_that_makes_no_sense_is_the_providers_to_refuse(body: dict[str, object]) -> None:
    assert TokenEstimator().prompt(Request(body=body)) < 12


def test_a_body_nested_without_end_is_measured_all_the_same() -> None:
    content: list[Any] = []
    for _ in range(300):
        content = [content]
    assert prompt_size(ask(messages=[{"role": "user", "content": content}]))[0] < 1_000


def test_one_answer_corrects_the_estimate_of_the_same_prompt() -> None:
    request = ask("word " * 40)
    estimator = taught(request, Usage(prompt_tokens=90, completion_tokens=1), times=1)
    assert estimator.prompt(request) == pytest.approx(90, abs=2)


@given(
    said=st.floats(min_value=0.3, max_value=3.0),
    form=st.integers(min_value=0, max_value=20),
    seed=st.integers(min_value=0, max_value=99),
)
def test_estimates_come_close_for_any_way_of_counting(said: float, form: int, seed: int) -> None:
    rng = random.Random(seed)
    estimator = TokenEstimator()

    def counted(words: int) -> tuple[Request, int]:
        request = ask("word " * words)
        return request, max(1, round(said * words) + form)

    for _ in range(64):
        request, tokens = counted(rng.randint(5, 400))
        estimator.learn(request, Usage(prompt_tokens=tokens, completion_tokens=1))
    for words in (20, 100, 400):
        request, tokens = counted(words)
        assert estimator.prompt(request) == pytest.approx(tokens, rel=0.12, abs=2)


def test_an_absurd_count_hardly_moves_the_estimate() -> None:
    request = ask("word " * 40)
    estimator = taught(request, Usage(prompt_tokens=60, completion_tokens=1), times=30)
    estimator.learn(request, Usage(prompt_tokens=60_000, completion_tokens=1))
    assert estimator.prompt(request) == pytest.approx(60, rel=0.2)


def test_each_model_is_learned_by_itself() -> None:
    estimator = taught(ask(model="a"), Usage(prompt_tokens=99, completion_tokens=1), times=9)
    assert estimator.prompt(ask(model="b")) == TokenEstimator().prompt(ask(model="b"))


def test_nothing_known_of_the_answer_means_the_callers_bound() -> None:
    estimator = TokenEstimator()
    assert estimator.completion(ask(max_tokens=70)) == 70
    assert estimator.completion(ask(max_tokens=70, n=3)) == 210
    assert estimator.completion(ask()) == 256
    assert estimator.completion(Request(api=Api.EMBEDDINGS, body={"input": "x"})) == 0


def test_answers_that_were_short_lower_what_is_set_aside() -> None:
    estimator = taught(
        ask(max_tokens=1_000), Usage(prompt_tokens=5, completion_tokens=20), times=10
    )
    assert estimator.completion(ask(max_tokens=1_000)) == 20
    assert estimator.completion_expected(ask(max_tokens=1_000)) == 20


def test_answers_under_another_bound_say_nothing_of_unbounded_ones() -> None:
    estimator = taught(ask(max_tokens=16), Usage(prompt_tokens=5, completion_tokens=16), times=10)
    assert estimator.completion(ask()) == 256


def test_many_models_do_not_fill_the_memory() -> None:
    estimator = TokenEstimator()
    for number in range(5_000):
        estimator.learn(ask(model=f"m{number}"), Usage(prompt_tokens=9, completion_tokens=9))
    assert len(estimator._prompts) <= 256
    assert len(estimator._completions) <= 1_024


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=200))
def test_a_window_is_the_last_64_values(values: list[float]) -> None:
    window = Window()
    for value in values:
        window.add(value)
    kept = sorted(values[-64:])
    assert len(window) == len(kept)
    assert window.middle == kept[len(kept) // 2]
    assert window.largest == kept[-1]


def test_hardly_any_exponential_value_is_above_the_high_one() -> None:
    rng, window, above = random.Random(3), Window(), 0
    for number in range(20_000):
        value = rng.expovariate(1.0)
        above += number >= 64 and value > window.high
        window.add(value)
    assert above < 40  # 1 in 500


def test_values_that_are_all_equal_stay_as_they_are() -> None:
    window = Window()
    for _ in range(8):
        window.add(17.0)
    assert window.high == 17.0


@given(st.text(max_size=300))
def test_a_prompt_has_no_more_tokens_than_bytes(text: str) -> None:
    request = ask(text)
    assert prompt_bytes(request) >= len(text.encode("utf-8", "replace"))
