"""Sending a batch's common beginning once, before the calls that would all pay for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from perfwright.core import ConfigError
from perfwright.llm.caching.prefixes import CHARACTERS_PER_TOKEN, blocks_of, prompt_characters
from perfwright.llm.caching.steadiness import MIN_CACHED_TOKENS
from perfwright.llm.requests import Api, Request

_ANSWER_TOKENS = 10.0
"""What the shortest answer costs, in prompt tokens: one token at up to ten times their price."""
_BOUNDS = {
    Api.CHAT: "max_tokens",
    Api.MESSAGES: "max_tokens",
    Api.RESPONSES: "max_output_tokens",
    Api.EMBEDDINGS: "",
}
_SHORTEST = {Api.RESPONSES: 16}
"""The least that OpenAI takes there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warming:
    """Whether to warm a provider's cache before a batch, and why."""

    request: Request | None
    """What to send; None when it would not pay."""
    prefix_tokens: int
    """Estimated length of what all prompts begin with."""
    saving_tokens: float
    """What it saves, in prompt tokens at their full price; negative is a loss."""
    reason: str
    was_sent: bool = False


def plan_warming(
    requests: Sequence[Request],
    *,
    in_flight: int,
    cached_price_ratio: float = 0.1,
    write_price_ratio: float = 1.0,
) -> Warming:
    """Decide whether one call in advance is cheaper than all first calls paying for the same.

    The calls that are sent before the first one has ended find nothing in the cache: as many as are
    under way at a time pay for the common beginning. After one call in advance none of them does.

    Args:
        requests: Of the batch.
        in_flight: How many will be under way at a time.
        cached_price_ratio: What a cached token costs, as a share of the full price.
        write_price_ratio: The same for one that is written to the cache; Anthropic's is 1.25.
    """
    if in_flight < 1:
        raise ConfigError(field="in_flight", value=in_flight, problem="must be at least 1")
    if len(requests) < 2:
        return _not(0, 0.0, reason="a single request has nobody to share with")
    prompts = [blocks_of(request) for request in requests]
    shared = _common(prompts)
    prefix_tokens = prompt_characters(prompts[0][:shared]) // CHARACTERS_PER_TOKEN
    if prefix_tokens < MIN_CACHED_TOKENS:
        return _not(
            prefix_tokens, 0.0, reason=f"providers cache {MIN_CACHED_TOKENS} tokens or more"
        )
    first_tokens = prompt_characters(prompts[0]) // CHARACTERS_PER_TOKEN
    gain = write_price_ratio - cached_price_ratio
    together = min(in_flight, len(requests))
    spared = together * prefix_tokens + (first_tokens - prefix_tokens)
    saving = spared * gain - first_tokens * write_price_ratio - _ANSWER_TOKENS
    if saving <= 0:
        return _not(prefix_tokens, saving, reason="it costs more than the first calls would lose")
    return Warming(
        request=_shortest(requests[0]),
        prefix_tokens=prefix_tokens,
        saving_tokens=saving,
        reason=f"{together} calls at once would each pay for {prefix_tokens} tokens",
    )


async def warm_prompts(
    send: Callable[[Request], Awaitable[object]],
    requests: Sequence[Request],
    *,
    in_flight: int,
    cached_price_ratio: float = 0.1,
    write_price_ratio: float = 1.0,
) -> Warming:
    """Plan, and send the request if it pays; errors are those of `send`."""
    plan = plan_warming(
        requests,
        in_flight=in_flight,
        cached_price_ratio=cached_price_ratio,
        write_price_ratio=write_price_ratio,
    )
    if plan.request is None:
        return plan
    await send(plan.request)
    return replace(plan, was_sent=True)


def _not(prefix_tokens: int, saving: float, *, reason: str) -> Warming:
    return Warming(request=None, prefix_tokens=prefix_tokens, saving_tokens=saving, reason=reason)


def _common(prompts: Sequence[list[str]]) -> int:
    """Return how many first blocks all prompts have in common."""
    smallest, largest = min(prompts), max(prompts)  # sorted: all others lie between
    count = 0
    for one, other in zip(smallest, largest, strict=False):
        if one != other:
            break
        count += 1
    return count


def _shortest(request: Request) -> Request:
    """Return the request with the shortest answer that can be asked for."""
    body = {
        name: value
        for name, value in request.body.items()
        if name not in ("stream", "stream_options", "n", "max_completion_tokens")
    }
    name = _BOUNDS[request.api]
    if name and "max_completion_tokens" in request.body:
        name = "max_completion_tokens"
    if name:
        body[name] = _SHORTEST.get(request.api, 1)
    return replace(request, body=body, raw=None)
