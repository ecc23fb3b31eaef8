"""Calls as OpenTelemetry metrics."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from perfwright.core import MissingExtraError
from perfwright.llm.telemetry.conventions import (
    DURATION,
    FIRST_CHUNK,
    PER_CHUNK,
    SECONDS_BUCKETS,
    TOKEN_BUCKETS,
    TOKENS,
    identity,
    wants_latest,
)
from perfwright.llm.telemetry.facts import Facts
from perfwright.llm.tracing import CallTrace

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, Meter


class GenAIMetrics:
    """Records how long calls take, how many tokens they use, and how their streams flow.

    Names and buckets follow the semantic conventions for generative AI; see `GenAISpans` for which
    of their versions. Answers from the cache have a duration, with `perfwright.cached`; tokens are
    recorded only where a provider was asked, so that their sum is what it charges for.

    Args:
        meter: Makes the instruments; by default one of the global provider.

    Raises:
        MissingExtraError: If opentelemetry-api is not installed.
    """

    def __init__(self, *, meter: Meter | None = None) -> None:
        try:
            from opentelemetry.metrics import get_meter
        except ImportError as error:
            raise MissingExtraError(feature="GenAIMetrics", extra="metrics") from error
        meter = meter or get_meter("perfwright")
        self._latest = wants_latest()
        self._duration = _seconds(meter, DURATION, description="How long operations took.")
        self._tokens = meter.create_histogram(
            TOKENS,
            unit="{token}",
            description="How many tokens prompts and answers had.",
            explicit_bucket_boundaries_advisory=TOKEN_BUCKETS,
        )
        self._first = self._between = None
        if self._latest:
            self._first = _seconds(meter, FIRST_CHUNK, description="Until the first chunk came.")
            self._between = _seconds(meter, PER_CHUNK, description="From each chunk to the next.")

    def finished(self, trace: CallTrace) -> None:
        """Record a call."""
        facts = Facts(trace)
        attributes = identity(facts, latest=self._latest)
        self._duration.record(trace.seconds, {**attributes, "perfwright.cached": facts.cached})
        attributes.pop("error.type", None)
        if facts.usage is not None and not facts.cached:
            self._count(facts.usage.prompt_tokens, kind="input", attributes=attributes)
            self._count(facts.usage.completion_tokens, kind="output", attributes=attributes)
        if self._first is not None and self._between is not None and facts.piece_s:
            self._first.record(facts.piece_s[0] - trace.start_s, attributes)
            for before_s, after_s in pairwise(facts.piece_s):
                self._between.record(after_s - before_s, attributes)

    def _count(self, tokens: int, *, kind: str, attributes: Mapping[str, Any]) -> None:
        if tokens:
            self._tokens.record(tokens, {**attributes, "gen_ai.token.type": kind})


def _seconds(meter: Meter, name: str, *, description: str) -> Histogram:
    return meter.create_histogram(
        name,
        unit="s",
        description=description,
        explicit_bucket_boundaries_advisory=SECONDS_BUCKETS,
    )
