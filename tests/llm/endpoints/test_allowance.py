"""How long an endpoint rests after it has refused a request."""

from __future__ import annotations

import random

import pytest

from perfwright.llm.endpoints import Endpoint
from perfwright.llm.endpoints.allowance import Allowance


def allowance() -> Allowance:
    return Allowance(Endpoint(), headroom_ratio=0.0, rng=random.Random(1), now_s=0.0)


@pytest.mark.parametrize(
    ("reset", "asked_s", "rests_s"),
    [
        ("200ms", 1.0, 0.2),  # the same wait, rounded up
        ("1.5s", 2.0, 1.5),
        ("200ms", 3.0, 3.0),  # it asks for more than its limit needs
        ("", 1.0, 1.0),
    ],
)
def test_it_rests_as_long_as_asked_and_not_as_long_as_rounded(
    reset: str, asked_s: float, rests_s: float
) -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-limit-requests": "6000"}
    if reset:
        headers["x-ratelimit-reset-requests"] = reset
    pause_s = allowance().refused(0.0, 0.1, headers=headers, asked_s=asked_s)
    assert pause_s == pytest.approx(rests_s)
