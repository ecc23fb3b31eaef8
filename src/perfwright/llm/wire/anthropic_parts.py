"""The parts of a chat message as blocks of Anthropic's: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec


class UntranslatableError(ValueError):
    """A request says something for which the other form has no words."""


def blocks_of(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the blocks of a user's, assistant's or tool's message.

    Raises:
        UntranslatableError: If a part has no counterpart.
    """
    match message.get("role"):
        case "tool":
            return [_tool_result(message)]
        case "assistant":
            return list(_assistant_blocks(message))
        case "user":
            return [_block(part) for part in _parts(message.get("content"))]
        case role:
            raise UntranslatableError(f"a message of the role {role!r} has no counterpart there")


def text_blocks(content: Any) -> list[dict[str, Any]]:
    """Return the blocks of instructions, which are texts only.

    Raises:
        UntranslatableError: If there is something else among them.
    """
    parts = _parts(content)
    if any(part.get("type") != "text" for part in parts):
        raise UntranslatableError("system messages can only hold text there")
    return [dict(part) for part in parts]


def _parts(content: Any) -> list[Mapping[str, Any]]:
    """The parts of a content, without empty texts: Anthropic refuses those."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    parts = content or []
    return [part for part in parts if part.get("type") != "text" or part.get("text")]


def _assistant_blocks(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from message.get("thinking_blocks") or ()  # as they came: their signature is checked
    for part in _parts(message.get("content")):
        if part.get("type") == "refusal":
            yield {"type": "text", "text": part.get("refusal") or ""}
        else:
            yield _block(part)
    if refusal := message.get("refusal"):
        yield {"type": "text", "text": refusal}
    for call in message.get("tool_calls") or ():
        yield _tool_use(call)


def _tool_use(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    try:
        arguments = msgspec.json.decode(function.get("arguments") or "{}")
    except ValueError as error:
        named = function.get("name")
        raise UntranslatableError(f"the arguments of a call of {named!r} are no JSON") from error
    return {
        "type": "tool_use",
        "id": call.get("id"),
        "name": function.get("name"),
        "input": arguments,
    }


def _tool_result(message: Mapping[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, str):
        content = [_block(part) for part in _parts(content)]
    return {
        "type": "tool_result",
        "tool_use_id": message.get("tool_call_id"),
        "content": content,
    }


def _block(part: Mapping[str, Any]) -> dict[str, Any]:
    match part:
        case {"type": "text"}:
            return dict(part)
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            made = {"type": "image", "source": _source(url)}
        case {"type": "image_url", "image_url": str(url)}:
            made = {"type": "image", "source": _source(url)}
        case {"type": "file", "file": {"file_data": str(url)}}:
            made = {"type": "document", "source": _source(url)}
        case {"type": "image" | "document" | "search_result"}:
            return dict(part)
        case {"type": kind}:
            raise UntranslatableError(f"a part of the type {kind!r} has no counterpart there")
        case _:
            raise UntranslatableError("a part of a message has no type")
    return made | ({"cache_control": part["cache_control"]} if "cache_control" in part else {})


def _source(url: str) -> dict[str, Any]:
    """Where an image is: in the address itself, or elsewhere."""
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    kind, _, data = url.removeprefix("data:").partition(";base64,")
    if not data:
        raise UntranslatableError("a data: address must have the form data:image/png;base64,...")
    return {"type": "base64", "media_type": kind, "data": data}
