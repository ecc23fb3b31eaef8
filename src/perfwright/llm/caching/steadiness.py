"""What keeps prompts from being found in a provider's cache, and where to tell it to cache."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from perfwright.core import ConfigError
from perfwright.llm.caching.prefixes import CHARACTERS_PER_TOKEN
from perfwright.llm.requests import Request

Kind = Literal["time", "date", "uuid", "number", "token"]

_DAY = r"\d{4}-\d\d-\d\d"
_ZONE = r"(?:Z|[+-]\d\d:?\d\d)"
_CHANGING: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("uuid", re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")),
    ("time", re.compile(rf"\b(?:{_DAY}[T ])?\d{{1,2}}:\d\d(?::\d\d(?:\.\d+)?)?{_ZONE}?")),
    ("date", re.compile(rf"\b{_DAY}\b|\b\d{{1,2}}[./]\d{{1,2}}[./]\d{{4}}\b")),
    ("token", re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{16,}\b")),
    ("number", re.compile(r"\b1\d{9}(?:\d{3})?(?:\.\d+)?\b")),  # seconds or ms since 1970
)
_INSTRUCTING = ("system", "developer")

MIN_CACHED_TOKENS = 1_024
"""Shorter beginnings are cached by hardly any provider."""
_MOST_POINTS = 4
"""Anthropic takes no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnstablePart:
    """A part of the instructions that is probably another one in the next request."""

    kind: Kind
    """`number` is a time in seconds or milliseconds, `token` a long hexadecimal number."""
    text: str
    position: int
    """Characters of the prompt before it: no more of it can be found in a provider's cache."""
    lost_characters: int
    """Characters of instructions after it: put it behind them, or into the last message."""


def find_unstable_parts(request: Request) -> list[UnstablePart]:
    """Return what keeps a request's instructions from being cached, the first in front."""
    parts, position = [], 0
    texts = list(_instructions(request))
    length = sum(map(len, texts))
    for text in texts:
        for kind, start, found in _changing(text):
            end = position + start + len(found)
            parts.append(
                UnstablePart(
                    kind=kind,
                    text=found,
                    position=position + start,
                    lost_characters=length - end,
                )
            )
        position += len(text)
    return sorted(parts, key=lambda part: part.position)


def mark_cache_points(body: Mapping[str, Any], *, points: int = _MOST_POINTS) -> dict[str, Any]:
    """Return a body for Anthropic's `/messages` that says up to where its prompt may be cached.

    Marks the tools, the system prompt, and the last two turns of the user: what a next request of
    the same conversation, and others with the same instructions, begin with. Beginnings that are
    too short to be cached are not marked, and a body with marks of its own is returned as it is.

    Args:
        body: Is not changed.
        points: Most marks, 1 to 4.
    """
    if not 1 <= points <= _MOST_POINTS:
        raise ConfigError(field="points", value=points, problem=f"must be 1 to {_MOST_POINTS}")
    marked = dict(body)
    if "cache_control" in str(body):
        return marked
    before = 0
    if tools := body.get("tools"):
        before += len(str(tools))
        if _is_long(before) and points:
            marked["tools"], points = [*tools[:-1], _marked(tools[-1])], points - 1
    if system := body.get("system"):
        before += len(str(system))
        if _is_long(before) and points:
            marked["system"], points = _last_marked(system), points - 1
    messages = list(body.get("messages") or ())
    asked = [place for place, each in enumerate(messages) if each.get("role") == "user"][-2:]
    for place in reversed(asked):
        length = before + sum(len(str(each.get("content"))) for each in messages[: place + 1])
        if _is_long(length) and points:
            messages[place] = {
                **messages[place],
                "content": _last_marked(messages[place]["content"]),
            }
            points -= 1
    marked["messages"] = messages
    return marked


def _instructions(request: Request) -> Iterator[str]:
    for name in ("system", "instructions"):
        yield from _texts(request.body.get(name))
    for message in request.messages:
        if message.get("role") not in _INSTRUCTING:
            return
        yield from _texts(message.get("content"))


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, Sequence):
        yield from (str(part.get("text") or "") for part in content if isinstance(part, Mapping))


def _changing(text: str) -> Iterator[tuple[Kind, int, str]]:
    """Yield what was found; a part that two patterns find belongs to the first."""
    taken: list[tuple[int, int]] = []
    for kind, pattern in _CHANGING:
        for match in pattern.finditer(text):
            start, end = match.span()
            if all(end <= one or start >= other for one, other in taken):
                taken.append((start, end))
                yield kind, start, match.group()


def _is_long(characters: int) -> bool:
    return characters >= MIN_CACHED_TOKENS * CHARACTERS_PER_TOKEN


def _last_marked(content: Any) -> list[Any]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    return [*blocks[:-1], _marked(blocks[-1])]


def _marked(block: Mapping[str, Any]) -> dict[str, Any]:
    return {**block, "cache_control": {"type": "ephemeral"}}
