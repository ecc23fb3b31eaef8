"""What is asked of a language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from perfwright.batching import Priority


class Api(StrEnum):
    """Which of a provider's interfaces a request is written for, in OpenAI's terms."""

    CHAT = "chat"
    """`/chat/completions`; on an Anthropic endpoint it is translated to `/messages` and back."""
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"
    MESSAGES = "messages"
    """Anthropic's own form, sent as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call, before anybody has decided where it goes."""

    api: Api = Api.CHAT
    body: Mapping[str, Any]
    """As the provider's documentation has it, with `model`; `stream` is not looked at."""
    raw: bytes | None = None
    """`body` as the caller wrote it: sent on byte for byte where nothing must be altered."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Who pays: what cost is booked under, such as `{"agent": "planner", "user": "7"}`."""
    priority: Priority = Priority.NORMAL
    timeout_s: float | None = None
    """For the whole call with its waits and retries; None takes the adapter's."""

    @property
    def model(self) -> str:
        """The model that is asked for; empty when the endpoint chooses."""
        return str(self.body.get("model") or "")

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """The conversation, in the forms that have one."""
        messages = self.body.get("messages", ())
        return messages if isinstance(messages, list | tuple) else ()

    @property
    def max_completion_tokens(self) -> int | None:
        """The caller's bound on the answer's length, under whichever name the form has for it."""
        for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"):
            bound = self.body.get(name)
            if isinstance(bound, int) and not isinstance(bound, bool):
                return bound
        return None
