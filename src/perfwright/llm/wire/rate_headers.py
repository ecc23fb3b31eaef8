"""What response headers say of limits: how long to wait, and how much is left."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from perfwright.core import SystemClock

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|ns|s|m|h|d)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class RateFacts:
    """Limits as an answer's headers tell them; None for what they do not."""

    requests_limit: int | None = None
    """Requests that a window allows; the headers do not say how long it is."""
    requests_left: int | None = None
    requests_reset_s: float | None = None
    """Seconds until all of them are allowed again."""
    tokens_limit: int | None = None
    tokens_left: int | None = None
    tokens_reset_s: float | None = None


def retry_after_s(headers: Mapping[str, str], *, today: datetime | None = None) -> float | None:
    """Return how many seconds the provider asks to wait, or None.

    `retry-after-ms` goes before `retry-after` (seconds, or an HTTP date), and both go before the
    reset of whichever limit has nothing left.

    Args:
        headers: Names in lower case.
        today: What a date is counted from when the answer itself has no `date`; None is now.
    """
    ms = _number(headers.get("retry-after-ms"))
    if ms is not None:
        return ms / 1_000
    asked = headers.get("retry-after")
    if asked is not None:
        seconds = _duration_s(asked)
        return _until_s(asked, headers=headers, today=today) if seconds is None else seconds
    return _exhausted_s(parse_rate_headers(headers, today=today))


def parse_rate_headers(headers: Mapping[str, str], *, today: datetime | None = None) -> RateFacts:
    """Read OpenAI's `x-ratelimit-*` or Anthropic's `anthropic-ratelimit-*`, names in lower case."""
    if "anthropic-ratelimit-requests-limit" in headers or any(
        name.startswith("anthropic-ratelimit-") for name in headers
    ):
        names = "anthropic-ratelimit-{0}-{1}"
    else:
        names = "x-ratelimit-{1}-{0}"

    def amount(what: str, fact: str) -> int | None:
        value = _number(headers.get(names.format(what, fact)))
        return None if value is None else int(value)

    def reset_s(what: str) -> float | None:
        value = headers.get(names.format(what, "reset"))
        if value is None:
            return None
        seconds = _duration_s(value)
        return _until_s(value, headers=headers, today=today) if seconds is None else seconds

    return RateFacts(
        requests_limit=amount("requests", "limit"),
        requests_left=amount("requests", "remaining"),
        requests_reset_s=reset_s("requests"),
        tokens_limit=amount("tokens", "limit"),
        tokens_left=amount("tokens", "remaining"),
        tokens_reset_s=reset_s("tokens"),
    )


def _exhausted_s(facts: RateFacts) -> float | None:
    """The longer of the resets of those limits that have nothing left."""
    resets = (
        facts.requests_reset_s if facts.requests_left == 0 else None,
        facts.tokens_reset_s if facts.tokens_left == 0 else None,
    )
    return max((reset for reset in resets if reset is not None), default=None)


def _number(text: str | None) -> float | None:
    """A number that is finite and not negative, else None."""
    try:
        value = float(text) if text is not None else -1.0
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _duration_s(text: str) -> float | None:
    """Seconds of `12`, `1.5`, `6m0s`, `20ms` or `1h2m`; None if it is no duration."""
    plain = _number(text)
    if plain is not None:
        return plain
    parts = _PART.findall(text.strip())
    if not parts or "".join(map("".join, parts)) != text.strip():
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _until_s(text: str, *, headers: Mapping[str, str], today: datetime | None) -> float | None:
    """Seconds from the answer's own `date` to a date: so the two clocks need not agree."""
    then = _moment(text)
    if then is None:
        return None
    sent = _moment(headers.get("date", "")) or today or SystemClock().today()
    return max(0.0, (then - sent).total_seconds())


def _moment(text: str) -> datetime | None:
    """A moment in RFC 9110's form or in RFC 3339's; without a zone it is UTC."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text.strip())
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
