"""OpenTelemetry's semantic conventions for generative AI, status Development.

Source: github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai, and for the form before
it github.com/open-telemetry/semantic-conventions at v1.36.0. Which of the two is written is the
user's choice by OTEL_SEMCONV_STABILITY_OPT_IN, as both documents ask.
"""

from __future__ import annotations

import os
from typing import Any

from perfwright.llm.telemetry.facts import Facts

OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"
LATEST = "gen_ai_latest_experimental"

DURATION = "gen_ai.client.operation.duration"
TOKENS = "gen_ai.client.token.usage"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
PER_CHUNK = "gen_ai.client.operation.time_per_output_chunk"
SECONDS_BUCKETS = [0.01 * 2**n for n in range(14)]
TOKEN_BUCKETS = [4**n for n in range(14)]

_ASKED = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
}


def wants_latest() -> bool:
    """Return whether the user's environment asks for the newest form of the conventions."""
    return LATEST in (entry.strip() for entry in os.environ.get(OPT_IN, "").split(","))


def identity(facts: Facts, *, latest: bool) -> dict[str, Any]:
    """Return the attributes that tell operations apart: few values each, for metrics and spans."""
    provider = "gen_ai.provider.name" if latest else "gen_ai.system"
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": facts.trace.operation,
        provider: facts.provider,
    }
    if facts.model:
        attributes["gen_ai.request.model"] = facts.model
    if facts.answering_model:
        attributes["gen_ai.response.model"] = facts.answering_model
    if (error_type := facts.error_type) is not None:
        attributes["error.type"] = error_type
    return attributes


def of_request(facts: Facts, *, latest: bool) -> dict[str, Any]:
    """Return what was asked for, without any content."""
    body, request = facts.body, facts.request
    attributes = {
        name: body[field]
        for field, name in _ASKED.items()
        if isinstance(body.get(field), int | float)
    }
    if request is not None and (bound := request.max_completion_tokens) is not None:
        attributes["gen_ai.request.max_tokens"] = bound
    if isinstance(count := body.get("n"), int) and count != 1:
        attributes["gen_ai.request.choice.count"] = count
    if stop := body.get("stop"):
        attributes["gen_ai.request.stop_sequences"] = (
            [stop] if isinstance(stop, str) else list(stop)
        )
    if latest and facts.streamed:
        attributes["gen_ai.request.stream"] = True
    return attributes


def of_answer(facts: Facts, *, latest: bool) -> dict[str, Any]:
    """Return what came, without any content."""
    attributes: dict[str, Any] = {}
    if identifier := facts.payload.get("id"):
        attributes["gen_ai.response.id"] = identifier
    if reasons := facts.finish_reasons:
        attributes["gen_ai.response.finish_reasons"] = reasons
    if (usage := facts.usage) is not None:
        attributes["gen_ai.usage.input_tokens"] = usage.prompt_tokens
        attributes["gen_ai.usage.output_tokens"] = usage.completion_tokens
        if latest:
            attributes["gen_ai.usage.cache_read.input_tokens"] = usage.cached_tokens
            attributes["gen_ai.usage.cache_creation.input_tokens"] = usage.cache_write_tokens
            attributes["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_tokens
    if latest and facts.piece_s:
        first_s = facts.piece_s[0] - facts.trace.start_s
        attributes["gen_ai.response.time_to_first_chunk"] = first_s
    return attributes


def of_runtime(facts: Facts) -> dict[str, Any]:
    """Return what the conventions have no name for."""
    attributes: dict[str, Any] = {
        "perfwright.trace_id": facts.trace.trace_id,
        "perfwright.cached": facts.cached,
    }
    if facts.endpoint:
        attributes["perfwright.endpoint"] = facts.endpoint
    if facts.cost_usd is not None:
        attributes["perfwright.cost_usd"] = facts.cost_usd
    for name, value in facts.labels.items():
        attributes[f"perfwright.label.{name}"] = value
    return attributes
