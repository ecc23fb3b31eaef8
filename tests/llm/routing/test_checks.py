"""Checks refuse answers that will not do, and let the others pass."""

from __future__ import annotations

import pytest

from perfwright.core import ConfigError
from perfwright.llm import Completion
from perfwright.llm.routing import Answered, Check, Confident, Consistent, FitsSchema, Verified
from tests.llm.routing.worlds import Provider, completion, request, run


def problem(check: Check, answer: Completion, *again: str) -> str | None:
    """Apply a check; the model says `again` when it is asked again."""
    provider = Provider(small=[completion(text) for text in again])

    async def scene() -> str | None:
        return await check.problem(request(model="small"), answer, ask=provider.send)

    return run(scene)


@pytest.mark.parametrize(
    "text",
    [
        "4",
        "You can't divide by zero, so the answer is undefined.",
        "The help desk is not able to see it.",
        "x" * 400 + " I'm sorry, I cannot help with that.",
    ],
)
def test_an_answer_passes(text: str) -> None:
    assert problem(Answered(), completion(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot answer this question.",
        "As an AI language model, I don't have opinions.",
        "I don't know.",
        "Unfortunately, I am unable to open links.",
    ],
)
def test_a_refusal_is_refused(text: str) -> None:
    assert problem(Answered(), completion(text)) == "refused"


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_answer_is_refused(text: str) -> None:
    assert problem(Answered(), completion(text)) == "empty"


def test_an_answer_cut_at_its_limit_is_refused() -> None:
    assert problem(Answered(), completion("4 and", finish_reason="length")) == (
        "cut off at its length limit"
    )


def test_a_call_of_a_tool_needs_no_text() -> None:
    answer = completion("")
    answer["choices"][0]["message"]["tool_calls"] = [{"id": "1"}]
    assert problem(Answered(), answer) is None


@pytest.mark.parametrize("text", ['{"a": 1}', '```json\n{"a": 1}\n```', ' {"a": 1.0} '])
def test_json_of_the_schema_passes(text: str) -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    assert problem(FitsSchema(schema), completion(text)) is None


@pytest.mark.parametrize(
    ("text", "said"), [("a: 1", "no JSON"), ('{"b": 1}', "answer.a is missing"), ("", "no JSON")]
)
def test_other_text_is_refused_with_the_reason(text: str, said: str) -> None:
    assert said in str(problem(FitsSchema({"type": "object", "required": ["a"]}), completion(text)))


def test_the_callers_test_decides() -> None:
    check = Verified(str.isdigit, name="digits")
    assert problem(check, completion("42")) is None
    assert problem(check, completion("six")) == "failed digits"


def test_the_callers_test_may_be_async() -> None:
    async def is_six(text: str) -> bool:
        return text == "six"

    assert problem(Verified(is_six), completion("six")) is None


def test_a_probable_answer_passes() -> None:
    assert problem(Confident(), completion("4", logprobs=[-0.1, -0.8])) is None


def test_an_improbable_answer_is_refused() -> None:
    assert problem(Confident(), completion("4", logprobs=[-0.1, -1.0])) == (
        "improbable to its own model"
    )


def test_an_answer_without_probabilities_is_refused() -> None:
    assert problem(Confident(), completion("4")) == "no log-probabilities"


def test_an_answer_that_is_repeated_passes() -> None:
    assert problem(Consistent(), completion("Paris."), "paris") is None


def test_an_answer_that_is_contradicted_is_refused() -> None:
    assert problem(Consistent(), completion("Paris."), "Rome", "Oslo") == "contradicts itself"


def test_no_more_is_asked_than_it_takes_to_know() -> None:
    provider = Provider(small=[completion("paris")])

    async def scene() -> None:
        check = Consistent(samples=5, agreement=0.4)
        await check.problem(request(model="small"), completion("Paris"), ask=provider.send)

    run(scene)
    assert len(provider.asked) == 1
    assert provider.asked[0].body["temperature"] == 0.7


@pytest.mark.parametrize("settings", [{"samples": 1}, {"agreement": 0.0}, {"agreement": 1.1}])
def test_a_setting_that_cannot_be_used_is_named(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        Consistent(**settings)  # type: ignore[arg-type]
