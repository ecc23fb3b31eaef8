"""How a simulated provider behaves; everything can be changed while it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_type_hints

import msgspec

from perfwright.core import ConfigError

RetryAfter = Literal["s", "fraction", "ms", "date", "none"]
Outage = Literal["refuse", "status", "hang"]
_RATIOS = frozenset(
    {"slow_ratio", "error_ratio", "hang_ratio", "reset_ratio"} | {"truncate_ratio", "cut_ratio"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """One state of the provider."""

    seed: int = 0
    """Answers, latencies and faults follow from it."""
    models: tuple[str, ...] = ("sim-large", "sim-small")
    """What `/models` lists; a call of any other model is answered too."""
    api_keys: tuple[str, ...] = ()
    """Any other key gets a 401; empty takes every call."""

    latency_s: float = 0.0
    """Until the answer, or its first piece; with `latency_p99_s` it is the median."""
    latency_p99_s: float | None = None
    """Makes the latency lognormal; None keeps it constant."""
    slow_ratio: float = 0.0
    """Share of the calls, 0 to 1, that take `slow_latency_s` instead."""
    slow_latency_s: float = 2.0
    token_delay_s: float = 0.0
    """For each token of the answer; a plain answer waits for all of them."""

    requests_per_s: float | None = None
    """Refill of the bucket of requests; None knows no limit."""
    burst: float | None = None
    """Size of that bucket, in requests; None takes one second's worth, at least 1."""
    tokens_per_s: float | None = None
    """The same in tokens: a call takes its prompt and its answer when it is admitted."""
    tokens_burst: float | None = None
    """In tokens; None takes one second's worth."""
    rate_headers: bool = True
    """Whether answers carry x-ratelimit-*, or anthropic-ratelimit-* on /messages."""
    retry_after: RetryAfter = "s"
    """How a 429 says when to come back: whole seconds, seconds with a fraction, retry-after-ms,
    an HTTP date, or not at all."""

    error_ratio: float = 0.0
    """Share of the admitted calls, 0 to 1, that fail with one of `error_statuses`."""
    error_statuses: tuple[int, ...] = (500, 503)
    error_latency_s: float | None = None
    """Until such an error; None takes the latency of an answer."""
    hang_ratio: float = 0.0
    """Share of the admitted calls that are never answered."""
    reset_ratio: float = 0.0
    """Share whose connection is reset instead of an answer."""
    truncate_ratio: float = 0.0
    """Share answered with status 200 and half of the JSON, plain answers only."""
    cut_ratio: float = 0.0
    """Share of the streams whose connection is reset half way."""
    down: bool = False
    """Nobody answers, see `outage`; connections that are open are reset."""
    outage: Outage = "refuse"
    """What `down` is like: connections refused, status 503 on every call, or silence."""
    refused_marker: str = "[refuse]"
    """A prompt that holds it gets status 400, each time."""

    completion_tokens: int = 16
    """Length of an answer, unless the call's own bound is lower."""
    completion_tokens_max: int | None = None
    """Answers are of `completion_tokens` up to this, by the prompt; None: all of one length."""
    reasoning_tokens: int = 0
    """Tokens of reasoning in front of each answer; they count as completion tokens."""
    chunk_tokens: int = 1
    """Tokens in each piece of a stream."""
    prompt_cache: bool = True
    """Whether prompts are matched with the beginnings of earlier ones, for cached tokens."""
    prompt_cache_min_tokens: int = 1024
    """Shorter prompts are not cached."""
    prompt_cache_block_tokens: int = 128
    """A match is rounded down to a multiple of it."""
    prompt_cache_ttl_s: float = 300.0
    """How long a beginning is remembered after its last use."""
    embedding_dimensions: int = 64
    batch_s: float = 0.2
    """How long a deferred batch takes, whatever its size."""

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))

    def changed(self, changes: dict[str, Any]) -> ProviderSettings:
        """Return the same with some values changed.

        Raises:
            ConfigError: If there is no such setting, or a value cannot be.
        """
        kinds = get_type_hints(ProviderSettings)
        for name in changes.keys() - kinds.keys():
            problem = f"there is no such setting; there are {', '.join(sorted(kinds))}"
            raise ConfigError(field=name, value=changes[name], problem=problem)
        read = {name: _read(name, value, kind=kinds[name]) for name, value in changes.items()}
        return replace(self, **read)


def _read(name: str, value: object, *, kind: Any) -> Any:
    """Return a value as its field has it; a list is as good as a tuple."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(field=name, value=value, problem=str(error)) from None


def _check(name: str, value: object) -> None:
    """Refuse numbers that mean nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if not math.isfinite(value) or (value < 0 and name != "seed"):
        raise ConfigError(field=name, value=value, problem="it must be a number from 0 up")
    if name in _RATIOS and value > 1:
        raise ConfigError(field=name, value=value, problem="it must be between 0 and 1")
    if value == 0 and name in (
        "requests_per_s",
        "tokens_per_s",
        "chunk_tokens",
        "prompt_cache_block_tokens",
    ):
        raise ConfigError(field=name, value=value, problem="it must be greater than 0")
