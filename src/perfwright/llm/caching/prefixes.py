"""Prompts as blocks from their start, as a provider's prompt cache compares them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from perfwright.llm.requests import Request

Blocks = Sequence[Hashable]

BLOCK_CHARACTERS = 512
"""About 128 tokens, the step in which OpenAI's cache grows."""
CHARACTERS_PER_TOKEN = 4

_SETTINGS = ("model", "tools", "response_format", "text", "system", "instructions")
_encode = msgspec.json.Encoder(order="sorted").encode


def blocks_of(request: Request) -> list[str]:
    """Return the prompt of a request, cut into texts; equal beginnings give equal first blocks.

    A block ends with a message, or within it after `BLOCK_CHARACTERS`.
    """
    return [block for part in _parts(request) for block in _cut(part)]


def prompt_characters(blocks: Sequence[str]) -> int:
    """Return how long a prompt is."""
    return sum(map(len, blocks))


def _parts(request: Request) -> Iterator[str]:
    body = request.body
    for name in _SETTINGS:
        if body.get(name) is not None:
            yield f"{name}: {_text(body[name])}"
    for message in request.messages:
        content = _text(message.get("content"))
        yield f"{message.get('role')}: {_text(_without_content(message))}{content}"
    if (asked := body.get("input")) is not None:
        yield from (_text(item) for item in (asked if isinstance(asked, list) else [asked]))


def _without_content(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    rest = {name: value for name, value in message.items() if name not in ("role", "content")}
    return rest or None


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _encode(value).decode()


def _cut(text: str) -> Iterator[str]:
    for start in range(0, len(text), BLOCK_CHARACTERS):
        yield text[start : start + BLOCK_CHARACTERS]
