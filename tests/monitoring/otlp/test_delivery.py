"""What is decided after a request."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from perfwright.monitoring.otlp.delivery import Next, Reply, decide, retry_after_s

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def after(status: int | None, *, retry_after: str | None = None, **given: Any) -> Next:
    plain: dict[str, Any] = {"tries": 1, "max_tries": 6, "spans": 10}
    plain |= {"now": NOW, "rng": random.Random(1)}
    return decide(Reply(status=status, retry_after=retry_after), **(plain | given))


def test_a_taken_batch_is_done() -> None:
    assert after(200).step == "done"


@pytest.mark.parametrize("status", [None, 429, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int | None) -> None:
    assert after(status).step == "retry"


@pytest.mark.parametrize("status", [301, 400, 401, 404, 415, 500, 501])
def test_what_will_not_pass_is_dropped(status: int) -> None:
    assert after(status).step == "drop"


def test_the_last_try_is_the_last() -> None:
    assert after(503, tries=5).step == "retry"
    assert after(503, tries=6).step == "drop"


def test_a_batch_that_is_too_large_is_cut_in_two() -> None:
    assert after(413, spans=2).step == "split"
    assert after(413, spans=1).step == "drop"


def test_waits_double_up_to_half_a_minute() -> None:
    waits = [after(503, tries=n, max_tries=99).wait_s for n in range(1, 12)]
    for at, wait_s in enumerate(waits):
        full_s = min(2.0**at, 30.0)
        assert full_s / 2 <= wait_s <= full_s


def test_a_receiver_is_left_alone_for_as_long_as_it_asks() -> None:
    assert after(429, retry_after="17").wait_s == 17.0
    assert after(503, retry_after="Sun, 22 Nov 2026 09:01:30 GMT").wait_s == 90.0


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [("-5", 0.0), ("1e9", 300.0), ("nan", None), ("soon", None), (None, None), ("inf", 300.0)],
)
def test_what_it_asks_has_bounds(header: str | None, expected_s: float | None) -> None:
    assert retry_after_s(header, now=NOW) == expected_s
