"""What a prompt is to the simulated provider: one text, its tokens, and its known beginning."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec

CHARACTERS_PER_TOKEN = 4
_MAX_BLOCKS = 200_000


def prompt_text(body: Mapping[str, Any]) -> str:
    """Return all that the model reads, in the order in which a provider lays it out."""
    parts = []
    if tools := body.get("tools"):
        parts.append(msgspec.json.encode(tools).decode())
    parts += [_content(body[name]) for name in ("system", "instructions") if body.get(name)]
    parts += map(_message, body.get("messages") or ())
    if given := body.get("input"):
        parts.append(given if isinstance(given, str) else "\n".join(map(_message, given)))
    return "\n".join(parts)


def cacheable_characters(body: Mapping[str, Any]) -> int:
    """Return how much of an Anthropic prompt its last `cache_control` mark covers."""
    covered = 0
    seen: dict[str, Any] = {}
    for name in ("tools", "system"):
        if name in body:
            seen[name] = body[name]
            if _is_marked(body[name]):
                covered = len(prompt_text(seen))
    messages = body.get("messages") or ()
    for count, message in enumerate(messages, 1):
        if isinstance(message, dict) and _is_marked(message.get("content")):
            covered = len(prompt_text(seen | {"messages": messages[:count]}))
    return covered


def tokens_of(text: str) -> int:
    """Count tokens as simply as can be predicted: one for every 4 characters, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def _message(message: Any) -> str:
    if not isinstance(message, dict):
        return str(message)
    calls = message.get("tool_calls")
    called = msgspec.json.encode(calls).decode() if calls else ""
    return f"{message.get('role', '')}: {_content(message.get('content'))}{called}"


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_part(part) for part in content)
    return "" if content is None else msgspec.json.encode(content).decode()


def _part(part: Any) -> str:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    return msgspec.json.encode(part).decode()


def _is_marked(value: Any) -> bool:
    return isinstance(value, list) and any(
        isinstance(part, dict) and "cache_control" in part for part in value
    )


class PrefixCache:
    """Which beginnings of prompts were seen lately, by model, in blocks of whole tokens."""

    def __init__(self) -> None:
        self._until: OrderedDict[int, float] = OrderedDict()

    def match(self, blocks: list[int], *, now_s: float) -> int:
        """Return how many blocks from the front are remembered."""
        for count, block in enumerate(blocks):
            if self._until.get(block, 0.0) < now_s:
                return count
        return len(blocks)

    def remember(self, blocks: list[int], *, until_s: float) -> None:
        """Keep the beginnings of a prompt that was answered."""
        for block in blocks:
            self._until[block] = until_s
            self._until.move_to_end(block)
        while len(self._until) > _MAX_BLOCKS:
            self._until.popitem(last=False)


def blocks_of(model: str, text: str, *, block_tokens: int) -> list[int]:
    """Return one number for each beginning of `text` that is a whole number of blocks long."""
    size = block_tokens * CHARACTERS_PER_TOKEN
    chain, blocks = hash(model), []
    for end in range(size, len(text) + 1, size):
        chain = hash((chain, text[end - size : end]))
        blocks.append(chain)
    return blocks
