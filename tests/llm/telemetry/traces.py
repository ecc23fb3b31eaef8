"""Finished traces for the tests of their sinks."""

from __future__ import annotations

import random
from typing import Any

from perfwright.core import ManualClock, ProviderDownError
from perfwright.llm import CallTrace, Request, Usage

CLOCK = ManualClock(now_s=1_000.0)
"""The day of 2026 begins at 1,000 s of it."""
DAY_S = CLOCK.start.timestamp()

SECRET = "the patient's name is Ada"


def trace(
    *, start_s: float = 997.0, end_s: float = 999.0, seed: int = 1, **facts: Any
) -> CallTrace:
    """Return the trace of a chat call that took two attempts."""
    made = CallTrace("chat", start_s=start_s, rng=random.Random(seed))
    made.add("limit_wait", start_s + 0.1, end_s=start_s + 0.5, endpoint="east")
    made.add(
        "attempt", start_s + 0.5, end_s=start_s + 0.6, endpoint="east", status=503, hedged=False
    )
    made.add("attempt", start_s + 1.0, end_s=end_s, endpoint="west", status=200)
    made.end_s = end_s
    made.facts.update(
        request=Request(
            body={
                "model": "gpt-5",
                "temperature": 0.5,
                "max_tokens": 99,
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": SECRET},
                ],
            },
        ),
        request_model="gpt-5",
        labels={"agent": "planner"},
        model="gpt-5-2026",
        finish_reason="stop",
        payload={
            "id": "chatcmpl-7",
            "model": "gpt-5-2026",
            "choices": [
                {"message": {"role": "assistant", "content": "Ada it is"}, "finish_reason": "stop"}
            ],
        },
        usage=Usage(
            prompt_tokens=70,
            cached_tokens=64,
            cache_write_tokens=3,
            completion_tokens=8,
            reasoning_tokens=5,
        ),
        endpoint="west",
        cost_usd=0.002,
        cached=False,
    )
    made.facts.update(facts)
    return made


def failed(*, code: str = "", status: int | None = 503, end_s: float = 999.0) -> CallTrace:
    """Return the trace of a call that got no answer."""
    made = trace(end_s=end_s)
    for name in ("payload", "usage", "cost_usd", "model", "finish_reason", "endpoint", "cached"):
        del made.facts[name]
    made.error = ProviderDownError(
        endpoint="west", problem=f"cannot answer {SECRET}", status=status, code=code
    )
    return made
