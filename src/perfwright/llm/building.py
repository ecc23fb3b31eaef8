"""From the adapter's options to its parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from perfwright.core import Clock, ConfigError
from perfwright.limits import Rate
from perfwright.llm.endpoints import Endpoint
from perfwright.llm.transport import Transport
from perfwright.llm.wire import Form, HttpTransport

DEFAULT_BASE_URL = "https://api.openai.com/v1"
_BURST_S = 0.1
"""A declared rate lets through at once what it brings in so long: providers keep to seconds."""

Messages = str | Sequence[Mapping[str, Any]]


def conversation_of(messages: Messages) -> list[Mapping[str, Any]]:
    """Return messages as a list, a text as the one message of a user.

    Raises:
        ConfigError: If they are neither.
    """
    conversation: object = messages
    if isinstance(messages, str):
        conversation = [{"role": "user", "content": messages}]
    if (
        messages
        and isinstance(conversation, Sequence)
        and all(isinstance(message, Mapping) for message in conversation)
    ):
        return list(conversation)
    problem = 'give a text, or a list of messages such as {"role": "user", "content": "..."}'
    raise ConfigError(field="messages", value=messages, problem=problem)


def labels_of(labels: Mapping[str, str] | None, *, defaults: Mapping[str, str]) -> dict[str, str]:
    """Return a call's labels above the adapter's.

    Raises:
        ConfigError: If they are not texts by name.
    """
    given: object = labels or {}
    if not isinstance(given, Mapping) or not all(
        isinstance(each, str) for pair in given.items() for each in pair
    ):
        problem = 'give texts by name, such as {"agent": "planner"}'
        raise ConfigError(field="labels", value=labels, problem=problem)
    return {**defaults, **(labels or {})}


def endpoint_of(
    base_url: str | None,
    *,
    form: Form | None,
    api_key: str | None,
    per_second: float | None,
    burst: float | None,
    tokens_per_minute: float | None,
    max_concurrent: int | None,
    transport: Transport | None,
) -> Endpoint:
    """Return the one endpoint that an adapter's own options describe."""
    environment = os.environ.get
    base_url = (
        base_url
        or environment("PERFWRIGHT_LLM_BASE_URL")
        or environment("OPENAI_BASE_URL")
        or DEFAULT_BASE_URL
    )
    requests = None
    if per_second is not None:
        requests = Rate(per_second, max(1.0, per_second * _BURST_S) if burst is None else burst)
    if form not in (None, "openai", "anthropic"):
        raise ConfigError(field="form", value=form, problem="is 'openai' or 'anthropic'")
    if form is None:
        form = "anthropic" if urlsplit(base_url).hostname == "api.anthropic.com" else "openai"
    return Endpoint(
        base_url=base_url,
        form=form,
        api_key=api_key,
        requests=requests,
        tokens=None if tokens_per_minute is None else Rate.per_minute(tokens_per_minute),
        max_concurrent=max_concurrent,
        transport=transport,
    )


def transport_maker(clock: Clock) -> Callable[[Endpoint], Transport]:
    """Return what reaches endpoints over HTTP."""

    def make(endpoint: Endpoint) -> Transport:
        return HttpTransport(
            base_url=endpoint.base_url,
            api_key=endpoint.api_key,
            name=endpoint.name,
            form=endpoint.form,
            headers=endpoint.headers,
            clock=clock,
        )

    return make


def substitutes_of(endpoints: Sequence[Endpoint]) -> list[str]:
    """Name the endpoints that serve another model than the preferred one."""
    preferred = endpoints[0].model
    return [each.name for each in endpoints[1:] if each.model and each.model != preferred]
