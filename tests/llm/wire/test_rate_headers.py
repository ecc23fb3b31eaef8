from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm.wire import RateFacts, parse_rate_headers, retry_after_s

NOW = datetime(2026, 11, 22, 7, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Sun, 22 Nov 2026 07:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 06:00:00 GMT"}, 0.0),
        ({"retry-after": "Sunday, 22-Nov-26 07:00:30 GMT"}, 30.0),
        ({"retry-after": "6m0s"}, 360.0),
        ({"retry-after": "in a while"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_the_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, today=NOW) == seconds


def test_a_date_is_counted_from_the_answers_own_clock() -> None:
    headers = {
        "date": "Sun, 22 Nov 2026 03:00:00 GMT",
        "retry-after": "Sun, 22 Nov 2026 03:00:05 GMT",
    }
    assert retry_after_s(headers, today=NOW) == 5.0


def test_without_a_wait_the_reset_of_what_is_used_up_counts() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "5",
        "x-ratelimit-reset-requests": "1h0m0s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "1m30.5s",
    }
    assert retry_after_s(headers) == 90.5


def test_openais_limits_are_read() -> None:
    headers = {
        "x-ratelimit-limit-requests": "5000",
        "x-ratelimit-remaining-requests": "4999",
        "x-ratelimit-reset-requests": "12ms",
        "x-ratelimit-limit-tokens": "800000",
        "x-ratelimit-remaining-tokens": "799000",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert parse_rate_headers(headers) == RateFacts(
        requests_limit=5_000,
        requests_left=4_999,
        requests_reset_s=0.012,
        tokens_limit=800_000,
        tokens_left=799_000,
        tokens_reset_s=360.0,
    )


def test_anthropics_limits_are_read() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-11-22T07:00:02Z",
        "anthropic-ratelimit-tokens-limit": "40000",
        "anthropic-ratelimit-tokens-remaining": "0",
        "anthropic-ratelimit-tokens-reset": "2026-11-22T07:01:00Z",
    }
    facts = parse_rate_headers(headers, today=NOW)
    assert (facts.requests_limit, facts.requests_left, facts.requests_reset_s) == (50, 49, 2.0)
    assert (facts.tokens_limit, facts.tokens_left, facts.tokens_reset_s) == (40_000, 0, 60.0)


def test_headers_without_limits_say_nothing() -> None:
    assert parse_rate_headers({"content-type": "x"}) == RateFacts()


@given(st.text(max_size=30))
def test_no_value_is_too_odd(value: str) -> None:
    names = ("retry-after", "retry-after-ms", "date", "x-ratelimit-reset-tokens")
    seconds = retry_after_s({**dict.fromkeys(names, value)}, today=NOW)
    assert seconds is None or seconds >= 0
