"""What a language model answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from perfwright.llm.tracing import CallTrace


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that a provider counted for one call."""

    prompt_tokens: int = 0
    """All of the prompt, with what was read from the provider's cache or written to it."""
    cached_tokens: int = 0
    """Part of the prompt that the provider had in its cache: cheaper."""
    cache_write_tokens: int = 0
    """Part of the prompt that it put there, where it charges for that."""
    completion_tokens: int = 0
    """All of the answer, with the reasoning."""
    reasoning_tokens: int = 0
    """Part of the answer that is not shown."""

    @property
    def total_tokens(self) -> int:
        """Prompt and answer."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer as a transport brings it."""

    payload: dict[str, Any]
    """In the form of the request's `Api`, whatever the endpoint speaks."""
    usage: Usage | None
    """None where the provider does not say."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the response, names in lower case."""
    raw: bytes | None = None
    """The body as it came, if `payload` is nothing but its content."""


class Completion(dict[str, Any]):
    """A finished answer: the provider's own dictionary, with what was learned on the way to it."""

    __slots__ = ("cached", "cost_usd", "endpoint", "raw", "trace", "usage")

    def __init__(
        self,
        payload: Mapping[str, Any],
        *,
        usage: Usage,
        cost_usd: float | None = None,
        cached: bool = False,
        endpoint: str = "",
        raw: bytes | None = None,
        trace: CallTrace | None = None,
    ) -> None:
        super().__init__(payload)
        self.usage = usage
        self.cost_usd = cost_usd
        """What this call cost; 0 from the cache, None where no price of the model is known."""
        self.cached = cached
        """No provider was asked for it: from the cache, or shared with an equal call."""
        self.endpoint = endpoint
        """Name of the endpoint that answered."""
        self.raw = raw
        self.trace = trace

    @property
    def model(self) -> str:
        """The model that answered, as the provider names it."""
        return str(self.get("model") or "")

    @property
    def message(self) -> dict[str, Any]:
        """The first choice's message; empty where the form has none."""
        choices = self.get("choices") or [{}]
        return choices[0].get("message") or {}

    @property
    def text(self) -> str:
        """The answer's text; empty when it only calls tools."""
        content = self.message.get("content", self.get("output_text"))
        if content is None:
            content = self._parts()
        if isinstance(content, list):
            return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
        return content or ""

    @property
    def tool_calls(self) -> list[dict[str, Any]]:
        """The tools that the model wants called, in the provider's form."""
        found = self.message.get("tool_calls")
        if found is not None:
            return list(found)
        items = [*(self.get("output") or ()), *(self.get("content") or ())]
        return [item for item in items if item.get("type") in ("function_call", "tool_use")]

    @property
    def finish_reason(self) -> str | None:
        """Why it ended, such as `stop`, `length` or `tool_calls`."""
        choices = self.get("choices") or [{}]
        reason = choices[0].get("finish_reason") or self.get("stop_reason") or self.get("status")
        return None if reason is None else str(reason)

    def _parts(self) -> list[Any]:
        """Text parts of the other forms: Responses' output, and Anthropic's content."""
        if isinstance(content := self.get("content"), list):
            return content
        output = self.get("output") or ()
        return [part for item in output for part in item.get("content") or ()]


class Piece(dict[str, Any]):
    """One event of a stream: the provider's own dictionary."""

    __slots__ = ("raw",)

    def __init__(self, payload: Mapping[str, Any], *, raw: bytes | None = None) -> None:
        super().__init__(payload)
        self.raw = raw
        """The event as it came, without its blank line."""

    @property
    def text(self) -> str:
        """What it adds to the answer's text."""
        choices = self.get("choices")
        if choices:
            return _text_of((choices[0].get("delta") or {}).get("content"))
        delta = self.get("delta")
        if isinstance(delta, str):
            return delta if str(self.get("type", "")).endswith("output_text.delta") else ""
        return _text_of(delta.get("text")) if isinstance(delta, dict) else ""


def _text_of(content: object) -> str:
    """Return a text, or the texts of several parts, which some servers stream."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))
