"""From the bytes of a request to the request: what is no JSON object is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from perfwright.llm.gateway.problems import Problem

_decode = msgspec.json.Decoder().decode


def decode(raw: bytes) -> dict[str, Any] | Problem:
    """Read a body, or say what is wrong with it, and where."""
    try:
        body = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _why_not(raw)
    if not isinstance(body, dict):
        return _bad(f"the body must be a JSON object, not {_name_of(body)}")
    return _ill_typed(body) or body


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


def _ill_typed(body: dict[str, Any]) -> Problem | None:
    """Check the two fields that the gateway itself reads."""
    if not isinstance(model := body.get("model", ""), str | None):
        return _bad(f"model must be a string, not {_name_of(model)}")
    if not isinstance(stream := body.get("stream", False), bool | None):
        return _bad(f"stream must be true or false, not {_name_of(stream)}")
    return None


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
