"""A whole answer's bytes to a reply: pure."""

from __future__ import annotations

from collections.abc import Mapping

from perfwright.llm.replies import Reply
from perfwright.llm.requests import Api
from perfwright.llm.wire.addresses import Form
from perfwright.llm.wire.anthropic import chat_from_message
from perfwright.llm.wire.bodies import object_in
from perfwright.llm.wire.failures import bad_answer, failed_inside, looks_like
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
        raise bad_answer(problem, headers=headers, endpoint=endpoint)
    is_translated = form == "anthropic" and api is Api.CHAT
    needed = _LIST_OF[Api.MESSAGES if is_translated else api]
    found = payload.get(needed)
    if not isinstance(found, list) or (not found and api is Api.CHAT) or payload.get("error"):
        error = failed_inside(payload, headers=headers, endpoint=endpoint)
        if error is not None:
            raise error
        problem = f"its answer has no {needed!r}, which the format wants"
        raise bad_answer(problem, headers=headers, endpoint=endpoint)
    if is_translated:
        payload = chat_from_message(payload)
    return Reply(
        payload=payload,
        usage=usage_of(api, payload),
        headers=headers,
        raw=None if is_translated else data,
    )
