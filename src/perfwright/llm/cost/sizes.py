"""How long a request is, in tokens, before anybody has counted them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from perfwright.llm.requests import Api, Request

_CHARS_PER_TOKEN = 4.0
_CHARS_OF = (("claude", 3.6), ("mistral", 3.7), ("llama", 3.9), ("gpt-5", 4.2), ("gpt-4o", 4.2))
_PER_EXTRA_BYTE, _PER_EXTRA_BYTE_OF_THREE = 0.2, 0.3  # Cyrillic 0.45, Chinese 0.85 a character
_PER_MESSAGE = 4.0
_PER_REQUEST = 3.0
_IMAGE, _SMALL_IMAGE = 765.0, 85.0
_OTHER_MEDIA = 1_000.0
_DEEPEST = 8
_JSON_FIELDS = ("tool_calls", "input", "function_call")
_TEXT_FIELDS = ("text", "arguments", "output", "thinking", "refusal", "content")

Count = Callable[[str], float]
"""Tokens of a text."""


def chars_per_token(model: str) -> float:
    """Return what is usual for the model's family, in English."""
    name = model.lower()
    return next((chars for family, chars in _CHARS_OF if family in name), _CHARS_PER_TOKEN)


def text_tokens(text: str, *, per_token: float = _CHARS_PER_TOKEN) -> float:
    """Estimate the tokens of a text; other scripts have fewer characters to a token."""
    size = len(text)
    if text.isascii():
        return size / per_token
    extra = len(text.encode("utf-8", "replace")) - size
    weight = _PER_EXTRA_BYTE if extra <= size else _PER_EXTRA_BYTE_OF_THREE
    return size / per_token + weight * extra


def prompt_size(request: Request, *, count: Count | None = None) -> tuple[float, float]:
    """Return the tokens of what the prompt says, and those of the form around it.

    Args:
        request: In any form; what cannot be understood counts nothing.
        count: Counts the tokens of a text; None estimates them.
    """
    body = request.body
    per_token = chars_per_token(request.model)
    ruler = _Ruler(count or partial(text_tokens, per_token=per_token))
    if request.api is Api.EMBEDDINGS:
        return ruler.inputs(body.get("input")), 0.0
    messages = request.messages
    said = 0.0
    for message in messages:
        is_plain = count is None and isinstance(message, dict) and "tool_calls" not in message
        content = message.get("content") if is_plain else None
        if type(content) is str and content.isascii():
            said += len(content) / per_token  # nearly all of them: it is worth the shortcut
        else:
            said += ruler.content(message)
    for field in ("input", "instructions", "system"):
        if field in body:
            said += ruler.content(body[field])
    for field in ("tools", "functions", "response_format"):
        if body.get(field):
            said += ruler.json(body[field])
    return said, _PER_REQUEST + _PER_MESSAGE * len(messages)


def prompt_bytes(request: Request) -> int:
    """Return a number of tokens that the prompt cannot exceed: none is shorter than a byte.

    That is of text: an image of which only the address is sent may have more.
    """
    return len(request.raw or msgspec.json.encode(request.body)) + 16 * (1 + len(request.messages))


class _Ruler:
    """Measures whatever a body may hold."""

    __slots__ = ("_count",)

    def __init__(self, count: Count) -> None:
        self._count = count

    def inputs(self, inputs: Any) -> float:
        """Measure what is to be embedded: a text, texts, tokens, or lists of tokens."""
        if isinstance(inputs, str):
            return self._count(inputs)
        if not isinstance(inputs, list | tuple):
            return 0.0
        if inputs and isinstance(inputs[0], int):
            return float(len(inputs))
        return sum(map(self.inputs, inputs))

    def content(self, content: Any, *, depth: int = 0) -> float:
        """Measure a text, a part, or a list of them."""
        if isinstance(content, str):
            return self._count(content)
        if depth > _DEEPEST:
            return self.json(content)
        if isinstance(content, Mapping):
            return self._part(content, depth)
        if isinstance(content, list | tuple):
            return sum(self.content(part, depth=depth + 1) for part in content)
        return 0.0

    def json(self, value: Any) -> float:
        """Measure what the provider gets to see as it is written."""
        return self._count(msgspec.json.encode(value).decode())

    def _part(self, part: Mapping[str, Any], depth: int) -> float:
        kind = str(part.get("type") or "")
        if "image" in kind:
            image = part.get("image_url")
            detail = image.get("detail") if isinstance(image, Mapping) else part.get("detail")
            return _SMALL_IMAGE if detail == "low" else _IMAGE
        if kind in ("input_audio", "file", "input_file", "document"):
            return _OTHER_MEDIA
        texts = (part[field] for field in _TEXT_FIELDS if field in part)
        said = sum(self.content(text, depth=depth + 1) for text in texts)
        return said + sum(self.json(part[field]) for field in _JSON_FIELDS if part.get(field))
