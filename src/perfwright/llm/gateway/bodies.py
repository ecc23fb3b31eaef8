"""From the bytes of a request to the request: what is no JSON object is refused with its place."""

from __future__ import annotations

import json
from types import UnionType
from typing import Any

import msgspec

from perfwright.llm.gateway.problems import Problem
from perfwright.llm.requests import Api

_decode = msgspec.json.Decoder().decode
_Shape = tuple[type | UnionType, str]
_TEXT: _Shape = (str, "a string")
_SWITCH: _Shape = (bool, "true or false")
_OBJECT: _Shape = (dict, "an object")
_ARRAY: _Shape = (list, "an array")
_TEXT_OR_ARRAY: _Shape = (str | list, "a string or an array")
_TEXT_OR_OBJECT: _Shape = (str | dict, "a string or an object")
_SHAPES = {
    "model": _TEXT,
    "stream": _SWITCH,
    "stream_options": _OBJECT,
    "messages": _ARRAY,
    "tools": _ARRAY,
    "functions": _ARRAY,
    "input": _TEXT_OR_ARRAY,
    "system": _TEXT_OR_ARRAY,
    "stop": _TEXT_OR_ARRAY,
    "stop_sequences": _ARRAY,
    "tool_choice": _TEXT_OR_OBJECT,
    "response_format": _OBJECT,
    "output_config": _OBJECT,
    "thinking": _OBJECT,
    "metadata": _OBJECT,
    "reasoning_effort": _TEXT,
    "user": _TEXT,
}
"""Of fields that may also be null."""
_LISTS_OF_OBJECTS = ("messages", "tools", "functions", "system")


def decode(raw: bytes, *, api: Api) -> dict[str, Any] | Problem:
    """Read a body, or say what is wrong with it, and where."""
    try:
        body = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _why_not(raw)
    if not isinstance(body, dict):
        return _bad(f"the body must be a JSON object, not {_name_of(body)}")
    return _ill_typed(body, api) or body


def refuse_content_type(value: str | None) -> Problem | None:
    """Refuse what says that it is something other than JSON; to say nothing is fine."""
    if value is None or value == "application/json":
        return None
    kind, _, parameters = value.lower().partition(";")
    kind = kind.strip()
    if kind != "application/json" and not kind.endswith("+json"):
        text = (
            f"a body of {kind or 'no type'!r} cannot be read; send Content-Type: application/json"
        )
        return Problem(status=415, code="unsupported_media_type", text=text)
    charset = parameters.partition("charset=")[2].strip(' "')
    if charset and charset not in ("utf-8", "utf8", "us-ascii"):
        text = f"JSON is UTF-8; charset={charset} cannot be read"
        return Problem(status=415, code="unsupported_charset", text=text)
    return None


def too_large(limit_bytes: int) -> Problem:
    """Say how much a body may hold."""
    text = f"the body is longer than {limit_bytes:,} bytes; split it, or raise max_body_bytes"
    return Problem(status=413, code="request_too_large", text=text)


def _ill_typed(body: dict[str, Any], api: Api) -> Problem | None:
    """Check the shape of what the pipeline reads; what else is wrong the provider says."""
    for name, value in body.items():
        shape = _SHAPES.get(name)
        if shape is not None and value is not None and not isinstance(value, shape[0]):
            return _wrong(name, shape[1], value=value)
    for name in _LISTS_OF_OBJECTS:
        if found := _not_objects(body.get(name), name):
            return found
    if api is Api.RESPONSES and (found := _not_objects(body.get("input"), "input")):
        return found
    if api is Api.MESSAGES and isinstance(choice := body.get("tool_choice"), str):
        return _wrong("tool_choice", "an object", value=choice)
    for at, message in enumerate(body.get("messages") or ()):
        if found := _bad_message(message, f"messages[{at}]"):
            return found
    return None


def _bad_message(message: dict[str, Any], name: str) -> Problem | None:
    content = message.get("content")
    if type(content) is not str and (found := _bad_content(content, f"{name}.content")):
        return found
    if calls := message.get("tool_calls"):
        if not isinstance(calls, list):
            return _wrong(f"{name}.tool_calls", "an array", value=calls)
        return _not_objects(calls, f"{name}.tool_calls")
    return None


def _bad_content(content: object, name: str) -> Problem | None:
    if not isinstance(content, str | list | None):
        return _wrong(name, "a string or an array", value=content)
    return _not_objects(content, name)


def _not_objects(items: object, name: str) -> Problem | None:
    if isinstance(items, list):
        for at, item in enumerate(items):
            if not isinstance(item, dict):
                return _wrong(f"{name}[{at}]", "an object", value=item)
    return None


def _wrong(name: str, wanted: str, *, value: object) -> Problem:
    return _bad(f"{name} must be {wanted}, not {_name_of(value)}")


def _why_not(raw: bytes) -> Problem:
    """Read it again with the slow decoder, which says where it stopped."""
    if not raw.strip():
        return _bad("the body is empty; send a JSON object")
    try:
        text = raw.decode()
        json.loads(text)
    except UnicodeDecodeError as error:
        return _bad(f"the body is no UTF-8: {error.reason} at byte {error.start}")
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno} (character {error.pos})"
        return _bad(f"the body is no JSON: {error.msg} at {where}")
    except (RecursionError, ValueError) as error:
        return _bad(f"the body cannot be read: {error}")
    return _bad("the body holds NaN, an infinite number, or half of a surrogate pair")


def _bad(text: str) -> Problem:
    return Problem(status=400, code="invalid_json", text=text)


def _name_of(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "an object" if isinstance(value, dict) else "a number")
