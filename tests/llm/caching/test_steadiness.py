"""What defeats a provider's cache, where it is told to cache, and when warming it pays."""

from __future__ import annotations

from typing import Any

import pytest

from perfwright.core import ConfigError
from perfwright.llm import Api, Request
from perfwright.llm.caching import (
    find_unstable_parts,
    mark_cache_points,
    plan_warming,
    warm_prompts,
)
from tests.cache.loops import run
from tests.llm.caching.providers import Provider

RULES = "Answer shortly, and name your sources. " * 200
"""About 1,950 tokens."""


def instructed(system: str, *, question: str = "Why?") -> Request:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    return Request(body={"model": "m", "messages": messages, "max_tokens": 500})


# --- Unstable parts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("uuid", "123e4567-e89b-12d3-a456-426614174000"),
        ("time", "2026-11-22T07:15:08Z"),
        ("time", "07:15"),
        ("date", "2026-11-22"),
        ("date", "22.11.2026"),
        ("number", "1700000000"),
        ("token", "9f86d081884c7d659a2feaa0c55ad015"),
    ],
)
def test_what_changes_with_each_request_is_found(kind: str, text: str) -> None:
    (part,) = find_unstable_parts(instructed(f"Session {text}. {RULES}"))
    assert (part.kind, part.text) == (kind, text)
    assert part.position == len("Session ")
    assert part.lost_characters == len(f". {RULES}")


@pytest.mark.parametrize(
    "text", [RULES, "Use at most 3 of 10 sources, version 2.11.", "", "decade"]
)
def test_steady_instructions_are_left_in_peace(text: str) -> None:
    assert find_unstable_parts(instructed(text)) == []


def test_the_question_may_change() -> None:
    assert find_unstable_parts(instructed(RULES, question="What was on 2026-11-22?")) == []


# --- Marks ----------------------------------------------------------------------------------------


def marks(body: dict[str, Any]) -> list[str]:
    """Where the marks are."""
    found = [
        f"tool {place}"
        for place, tool in enumerate(body.get("tools", ()))
        if "cache_control" in tool
    ]
    if "cache_control" in str(body.get("system")):
        found.append("system")
    for place, message in enumerate(body["messages"]):
        if "cache_control" in str(message):
            found.append(f"message {place}")
    return found


CONVERSATION = {
    "model": "claude",
    "max_tokens": 100,
    "tools": [{"name": "a", "description": RULES}, {"name": "b", "description": "x"}],
    "system": RULES,
    "messages": [
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": [{"type": "text", "text": "3"}, {"type": "text", "text": "4"}]},
    ],
}


def test_tools_instructions_and_the_last_two_turns_are_marked() -> None:
    before = str(CONVERSATION)
    marked = mark_cache_points(CONVERSATION)
    assert marks(marked) == ["tool 1", "system", "message 0", "message 2"]
    assert "cache_control" in marked["messages"][2]["content"][1]
    assert str(CONVERSATION) == before


def test_what_is_too_short_to_be_cached_is_not_marked() -> None:
    body = {**CONVERSATION, "tools": [], "system": "Be short."}
    assert marks(mark_cache_points(body)) == []


def test_no_more_are_marked_than_asked_for() -> None:
    assert marks(mark_cache_points(CONVERSATION, points=2)) == ["tool 1", "system"]
    with pytest.raises(ConfigError, match="points"):
        mark_cache_points(CONVERSATION, points=5)


def test_marks_of_the_users_own_stay_alone() -> None:
    own = mark_cache_points(CONVERSATION, points=1)
    assert mark_cache_points(own) == own


# --- Warming --------------------------------------------------------------------------------------


def batch(count: int, *, system: str = RULES) -> list[Request]:
    return [instructed(system, question=f"Question {number}?") for number in range(count)]


def test_a_common_beginning_is_sent_once_in_advance() -> None:
    plan = plan_warming(batch(50), in_flight=20)
    assert plan.request is not None
    assert plan.request.body["max_tokens"] == 1
    assert plan.request.messages == batch(1)[0].messages
    assert plan.prefix_tokens == pytest.approx(len(RULES) / 4, rel=0.1)
    # 19 calls pay a tenth instead of all of it, and one pays for the call in advance
    assert plan.saving_tokens == pytest.approx(
        20 * 0.9 * plan.prefix_tokens - plan.prefix_tokens, rel=0.05
    )


@pytest.mark.parametrize(
    ("requests", "in_flight", "reason"),
    [
        (batch(50), 1, "costs more"),  # the first call writes it for the others
        (batch(50, system="Be short."), 20, "1024 tokens"),
        (batch(1), 20, "single"),
    ],
)
def test_nothing_is_sent_where_it_does_not_pay(
    requests: list[Request], in_flight: int, reason: str
) -> None:
    plan = plan_warming(requests, in_flight=in_flight)
    assert plan.request is None
    assert reason in plan.reason


def test_prompts_without_a_common_beginning_are_not_warmed() -> None:
    mixed = [*batch(10), *batch(10, system="Other. " + RULES)]
    assert plan_warming(mixed, in_flight=20).request is None


def test_the_bound_is_the_one_that_the_form_has() -> None:
    body = {"model": "m", "instructions": RULES, "max_output_tokens": 900}
    requests = [Request(api=Api.RESPONSES, body={**body, "input": text}) for text in "ab"]
    plan = plan_warming(requests, in_flight=2)
    assert plan.request is not None
    assert plan.request.body["max_output_tokens"] == 16


def test_the_result_says_whether_it_was_sent() -> None:
    provider = Provider()

    async def send(request: Request) -> object:
        assert request.max_completion_tokens == 1
        return await provider.make()

    assert run(warm_prompts(send, batch(50), in_flight=20)).was_sent
    assert not run(warm_prompts(send, batch(50), in_flight=1)).was_sent
    assert provider.calls == 1
