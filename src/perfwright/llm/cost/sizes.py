"""How long a request is, in tokens, before anybody has counted them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from perfwright.llm.requests import Api, Request

_CHARS_PER_TOKEN = 4.0
_CHARS_OF = (("claude", 3.6), ("mistral", 3.7), ("llama", 3.9), ("gpt-5", 4.2), ("gpt-4o", 4.2))
_PER_EXTRA_BYTE = 0.3  # Cyrillic 0.55, Chinese 0.85, emoji 1.15 tokens for a character
_PER_MESSAGE = 4.0
_PER_REQUEST = 3.0
_IMAGE, _SMALL_IMAGE = 765.0, 85.0
_OTHER_MEDIA = 1_000.0
_TEXT_FIELDS = ("text", "arguments", "output", "thinking", "refusal", "content")


def chars_per_token(model: str) -> float:
    """Return what is usual for the model's family, in English."""
    name = model.lower()
    return next((chars for family, chars in _CHARS_OF if family in name), _CHARS_PER_TOKEN)


def text_tokens(text: str, *, per_token: float = _CHARS_PER_TOKEN) -> float:
    """Estimate the tokens of a text; other scripts have fewer characters to a token."""
    size = len(text)
    if text.isascii():
        return size / per_token
    return size / per_token + _PER_EXTRA_BYTE * (len(text.encode("utf-8", "replace")) - size)


def prompt_size(request: Request) -> tuple[float, float]:
    """Return the tokens of what the prompt says, and those of the form around it."""
    body = request.body
    per_token = chars_per_token(request.model)
    if request.api is Api.EMBEDDINGS:
        return _inputs(body.get("input"), per_token), 0.0
    messages = request.messages
    said = 0.0
    for message in messages:
        content = message.get("content")
        if type(content) is str and content.isascii() and "tool_calls" not in message:
            said += len(content) / per_token  # nearly all of them: it is worth the shortcut
        else:
            said += _content(message, per_token)
    for field in ("input", "instructions", "system"):
        if field in body:
            said += _content(body[field], per_token)
    for field in ("tools", "functions", "response_format"):
        if body.get(field):
            said += len(msgspec.json.encode(body[field])) / per_token
    return said, _PER_REQUEST + _PER_MESSAGE * len(messages)


def prompt_bytes(request: Request) -> int:
    """Return a number of tokens that the prompt cannot exceed: none is shorter than a byte."""
    return len(request.raw or msgspec.json.encode(request.body)) + 16 * (1 + len(request.messages))


def _inputs(inputs: Any, per_token: float) -> float:
    if isinstance(inputs, str):
        return text_tokens(inputs, per_token=per_token)
    if not isinstance(inputs, list | tuple):
        return 0.0
    if inputs and isinstance(inputs[0], int):
        return float(len(inputs))  # tokens already
    return sum(_inputs(part, per_token) for part in inputs)


def _content(content: Any, per_token: float) -> float:
    if isinstance(content, str):
        return text_tokens(content, per_token=per_token)
    if isinstance(content, Mapping):
        return _part(content, per_token)
    if isinstance(content, Iterable):
        return sum(_content(part, per_token) for part in content)
    return 0.0


def _part(part: Mapping[str, Any], per_token: float) -> float:
    kind = str(part.get("type") or "")
    if "image" in kind:
        image = part.get("image_url")
        detail = image.get("detail") if isinstance(image, Mapping) else part.get("detail")
        return _SMALL_IMAGE if detail == "low" else _IMAGE
    if kind in ("input_audio", "file", "input_file", "document"):
        return _OTHER_MEDIA
    said = sum(_content(part[field], per_token) for field in _TEXT_FIELDS if field in part)
    for field in ("tool_calls", "input", "function_call"):
        if part.get(field):
            said += len(msgspec.json.encode(part[field])) / per_token
    return said
