"""What sinks read of a finished trace, whatever its call was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perfwright.core import ProviderError
from perfwright.llm.replies import Usage
from perfwright.llm.requests import Api, Request
from perfwright.llm.tracing import CallTrace, Stage

_NOTHING: Mapping[str, Any] = {}


class Facts:
    """A view of a trace's facts, of which any may be missing."""

    __slots__ = ("_facts", "trace")

    def __init__(self, trace: CallTrace) -> None:
        self.trace, self._facts = trace, trace.facts

    @property
    def request(self) -> Request | None:
        """What was asked."""
        request: Request | None = self._facts.get("request")
        return request

    @property
    def body(self) -> Mapping[str, Any]:
        """Of the request."""
        return self.request.body if self.request is not None else _NOTHING

    @property
    def payload(self) -> Mapping[str, Any]:
        """The answer; empty if there is none."""
        payload: Mapping[str, Any] = self._facts.get("payload") or _NOTHING
        return payload

    @property
    def model(self) -> str:
        """The model that was asked for; empty if the endpoint chose."""
        return str(self._facts.get("request_model") or self.body.get("model") or "")

    @property
    def answering_model(self) -> str:
        """The model that answered, as the provider names it."""
        return str(self._facts.get("model") or self.payload.get("model") or "")

    @property
    def labels(self) -> Mapping[str, str]:
        """Who pays."""
        labels: Mapping[str, str] = self._facts.get("labels") or _NOTHING
        return labels

    @property
    def provider(self) -> str:
        """Whose form the endpoint speaks."""
        request = self.request
        in_anthropics_form = request is not None and request.api is Api.MESSAGES
        return str(self._facts.get("provider") or ("anthropic" if in_anthropics_form else "openai"))

    @property
    def endpoint(self) -> str:
        """Name of the endpoint that answered; empty if none did."""
        return str(self._facts.get("endpoint") or "")

    @property
    def usage(self) -> Usage | None:
        """What the provider counted."""
        usage: Usage | None = self._facts.get("usage")
        return usage

    @property
    def cost_usd(self) -> float | None:
        """What it cost; None if it is not known."""
        cost_usd: float | None = self._facts.get("cost_usd")
        return cost_usd

    @property
    def cached(self) -> bool:
        """Whether no provider was asked."""
        return bool(self._facts.get("cached"))

    @property
    def streamed(self) -> bool:
        """Whether the answer came in pieces."""
        return bool(self._facts.get("streamed"))

    @property
    def piece_s(self) -> Sequence[float]:
        """When each piece of a stream came, by the adapter's clock."""
        return self._facts.get("piece_s") or ()

    @property
    def finish_reasons(self) -> list[str]:
        """Why each choice of the answer ended."""
        reasons = [choice.get("finish_reason") for choice in self.payload.get("choices") or ()]
        reasons = reasons or [self._facts.get("finish_reason")]
        return [str(reason) for reason in reasons if reason]

    @property
    def error_type(self) -> str | None:
        """The error in one word: the provider's code, the status of HTTP, or our class."""
        error = self.trace.error
        if error is None:
            return None
        if isinstance(error, ProviderError) and (error.code or error.status):
            return error.code or str(error.status)
        return type(error).__name__


def has_failed(stage: Stage) -> bool:
    """Return whether an attempt got no good answer; other stages do not fail by themselves.

    Nor does an attempt that was cancelled together with its call, as when a client goes away.
    """
    facts = stage.facts
    return stage.name == "attempt" and facts.get("status") != 200 and not facts.get("cancelled")
