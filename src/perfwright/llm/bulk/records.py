"""What a job file's lines say: how a request is known again, and how an outcome is written down."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from perfwright.llm.replies import Completion, Usage
from perfwright.llm.requests import Request

_HOW_IT_COMES = frozenset({"stream", "stream_options"})
"""Fields of a body that do not alter the answer."""
_COUNTS = tuple(field.name for field in fields(Usage))


def digest_of(request: Request) -> str:
    """Return what knows the request again in another run: 32 hexadecimal digits.

    Labels, priority and timeout are left out, as they do not alter the answer.

    Raises:
        TypeError: If its body is not made of what JSON knows.
    """
    import msgspec

    body = {name: value for name, value in request.body.items() if name not in _HOW_IT_COMES}
    text = msgspec.json.encode([request.api, body], order="deterministic")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def record_of(outcome: Completion | Exception) -> dict[str, Any]:
    """Return an outcome in values that JSON knows."""
    if not isinstance(outcome, Completion):
        return {"error": type(outcome).__name__, "problem": str(outcome)}
    record: dict[str, Any] = {
        "ok": outcome,
        "usage": {name: count for name in _COUNTS if (count := getattr(outcome.usage, name))},
        "cost_usd": outcome.cost_usd,
        "endpoint": outcome.endpoint,
    }
    if outcome.cached:
        record["cached"] = True
    return record


def completion_of(record: Mapping[str, Any]) -> Completion:
    """Return what `record_of` wrote of a completion."""
    return Completion(
        record["ok"],
        usage=Usage(**record["usage"]),
        cost_usd=record["cost_usd"],
        cached=record.get("cached", False),
        endpoint=record["endpoint"],
    )
