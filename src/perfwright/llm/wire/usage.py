"""How many tokens an answer says it took, in one form whatever the provider calls them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perfwright.llm.replies import Usage
from perfwright.llm.requests import Api


def usage_of(api: Api, payload: Mapping[str, Any]) -> Usage | None:
    """Return the tokens that `payload` counts, or None where it has no count.

    Args:
        api: The form of `payload`.
        payload: An answer, or that piece of a stream which carries the usage.
    """
    counted = payload.get("usage")
    if not isinstance(counted, dict):
        counted = _nested(payload)
        if counted is None:
            return None
    if api is Api.MESSAGES:
        return _messages_usage(counted)
    return _openai_usage(counted)


def _nested(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """The usage inside an event of a stream: Responses' last, or Anthropic's first."""
    for holder in (payload.get("response"), payload.get("message")):
        if isinstance(holder, dict) and isinstance(holder.get("usage"), dict):
            return dict(holder["usage"])
    return None


def count_of(value: Any) -> int:
    """Return a number of tokens as a whole number; 0 for what is none."""
    if type(value) is int:
        return max(0, value)
    return int(value) if isinstance(value, float) and value > 0 else 0


def _openai_usage(counted: Mapping[str, Any]) -> Usage:
    """Chat and embeddings say prompt and completion, Responses input and output."""
    get = counted.get
    asked = get("prompt_tokens_details") or get("input_tokens_details")
    answered = get("completion_tokens_details") or get("output_tokens_details")
    cached = written = reasoning = None
    if isinstance(asked, dict):
        cached = asked.get("cached_tokens")
        written = asked.get("cache_write_tokens") or asked.get("cache_creation_tokens")
    if isinstance(answered, dict):
        reasoning = answered.get("reasoning_tokens")
    return Usage(
        prompt_tokens=count_of(get("prompt_tokens") or get("input_tokens")),
        cached_tokens=count_of(cached or get("prompt_cache_hit_tokens")),
        cache_write_tokens=count_of(written),
        completion_tokens=count_of(get("completion_tokens") or get("output_tokens")),
        reasoning_tokens=count_of(reasoning),
    )


def _messages_usage(counted: Mapping[str, Any]) -> Usage:
    """Anthropic's `input_tokens` leave out what was read from its cache or written to it."""
    read = count_of(counted.get("cache_read_input_tokens"))
    written = count_of(counted.get("cache_creation_input_tokens"))
    details = counted.get("output_tokens_details")
    thinking = details.get("thinking_tokens") if isinstance(details, dict) else None
    return Usage(
        prompt_tokens=count_of(counted.get("input_tokens")) + read + written,
        cached_tokens=read,
        cache_write_tokens=written,
        completion_tokens=count_of(counted.get("output_tokens")),
        reasoning_tokens=count_of(thinking),
    )
