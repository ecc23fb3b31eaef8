"""A whole answer's bytes to a reply: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perfwright.llm.replies import Reply
from perfwright.llm.requests import Api
from perfwright.llm.wire.addresses import Form
from perfwright.llm.wire.anthropic import chat_from_message
from perfwright.llm.wire.anthropic_parts import UntranslatableError
from perfwright.llm.wire.bodies import object_in
from perfwright.llm.wire.failures import bad_answer, failed_inside, looks_like
from perfwright.llm.wire.openai_chat import message_from_chat
from perfwright.llm.wire.usage import usage_of

_LIST_OF = {
    Api.CHAT: "choices",
    Api.RESPONSES: "output",
    Api.EMBEDDINGS: "data",
    Api.MESSAGES: "content",
}
"""The list without which an answer is none."""


def reply_of(
    api: Api, data: bytes, *, headers: Mapping[str, str], form: Form, endpoint: str
) -> Reply:
    """Return the reply that an answer of a good status holds.

    Args:
        api: What was asked for.
        data: The body.
        headers: Names in lower case.
        form: What the endpoint speaks.
        endpoint: Its name.

    Raises:
        BadAnswerError: If it is not what the format says.
        ProviderError: If it holds an error in spite of its status.
    """
    payload = object_in(data)
    if payload is None:
        problem = f"it answered with {looks_like(data)} instead of a JSON object"
        if data.lstrip()[:1] == b"{":
            problem = f"the JSON of its answer is cut off or damaged ({len(data):,} bytes)"
        raise bad_answer(problem, headers=headers, endpoint=endpoint)
    came = spoken(api, form=form)
    needed = _LIST_OF[came]
    found = payload.get(needed)
    is_chat = came is Api.CHAT
    if not isinstance(found, list) or (is_chat and not _has_choice(found)) or payload.get("error"):
        error = failed_inside(payload, headers=headers, endpoint=endpoint)
        if error is not None:
            raise error
        what = f"{needed!r} with a message" if is_chat else repr(needed)
        problem = f"its answer has no {what}, which the format wants"
        raise bad_answer(problem, headers=headers, endpoint=endpoint)
    raw: bytes | None = data
    if came is not api:
        payload, raw = _translated(payload, came=came, headers=headers, endpoint=endpoint), None
    return Reply(payload=payload, usage=usage_of(api, payload), headers=headers, raw=raw)


def spoken(api: Api, *, form: Form) -> Api:
    """Return the form in which the answer to a request comes: the endpoint's own."""
    if form == "anthropic" and api is Api.CHAT:
        return Api.MESSAGES
    return Api.CHAT if form == "openai" and api is Api.MESSAGES else api


def _has_choice(choices: list[Any]) -> bool:
    first = choices[0] if choices else None
    return isinstance(first, dict) and isinstance(first.get("message"), dict)


def _translated(
    payload: dict[str, Any], *, came: Api, headers: Mapping[str, str], endpoint: str
) -> dict[str, Any]:
    try:
        return chat_from_message(payload) if came is Api.MESSAGES else message_from_chat(payload)
    except UntranslatableError as error:
        raise bad_answer(str(error), headers=headers, endpoint=endpoint) from error
    except (AttributeError, TypeError) as error:  # a list for an object, a number for a text
        problem = "its answer is not what the format says"
        raise bad_answer(problem, headers=headers, endpoint=endpoint) from error
