"""The provider's limits, and how it speaks of them in headers."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from email.utils import format_datetime

from perfwright.llm.requests import Api
from perfwright.llm.testing.buckets import Bucket
from perfwright.llm.testing.settings import ProviderSettings

_SLACK_S = 1e-9  # below what the clock can tell
_WINDOW_S = 60.0  # limits are announced per minute, as providers do


class Limits:
    """Requests and tokens, each from its bucket."""

    def __init__(self, settings: ProviderSettings, *, now_s: float) -> None:
        self._settings = settings
        self._buckets: dict[str, Bucket] = {}
        sizes = {
            "requests": (settings.requests_per_s, settings.burst),
            "tokens": (settings.tokens_per_s, settings.tokens_burst),
        }
        for name, (per_s, burst) in sizes.items():
            if per_s is not None:
                size = max(1.0, per_s) if burst is None else burst
                self._buckets[name] = Bucket(per_s=per_s, size=size, now_s=now_s)

    def use(self, settings: ProviderSettings) -> None:
        """Speak of the limits in another way; what is left in the buckets stays."""
        self._settings = settings

    def admit(self, tokens: int, *, now_s: float) -> float:
        """Take one request of so many tokens; returns how long to wait instead if it is refused."""
        amounts = {"requests": 1.0, "tokens": float(tokens)}
        waits = [
            bucket.wait_s(amounts[name], now_s=now_s) for name, bucket in self._buckets.items()
        ]
        wait_s = max(waits, default=0.0)
        if wait_s <= _SLACK_S:
            for name, bucket in self._buckets.items():
                bucket.take(amounts[name], now_s=now_s)
            return 0.0
        return wait_s

    def headers(self, api: Api, *, now_s: float, today: datetime) -> bytes:
        """Return the lines that tell a client what is left."""
        if not self._settings.rate_headers:
            return b""
        lines = []
        for name, bucket in self._buckets.items():
            limit, left = round(bucket.per_s * _WINDOW_S), max(0, math.floor(bucket.level(now_s)))
            reset_s = bucket.reset_s(now_s)
            if api is Api.MESSAGES:
                at = (today + timedelta(seconds=reset_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
                start = f"anthropic-ratelimit-{name}-"
                lines.append(
                    f"{start}limit: {limit}\r\n{start}remaining: {left}\r\n{start}reset: {at}\r\n"
                )
            else:
                lines.append(
                    f"x-ratelimit-limit-{name}: {limit}\r\nx-ratelimit-remaining-{name}: {left}\r\n"
                    f"x-ratelimit-reset-{name}: {duration(reset_s)}\r\n"
                )
        return "".join(lines).encode()

    def retry_after(self, wait_s: float, *, today: datetime) -> bytes:
        """Return the line that says when to come back."""
        match self._settings.retry_after:
            case "s":
                return b"retry-after: %d\r\n" % math.ceil(wait_s)
            case "fraction":
                return f"retry-after: {wait_s:.3f}\r\n".encode()
            case "ms":
                return b"retry-after-ms: %d\r\n" % math.ceil(wait_s * 1000.0)
            case "date":
                # A date holds whole seconds: rounded up, so that whoever obeys it is not early.
                at = (today + timedelta(seconds=wait_s + 1.0)).replace(microsecond=0)
                return f"retry-after: {format_datetime(at, usegmt=True)}\r\n".encode()
            case "none":
                return b""


def duration(seconds: float) -> str:
    """Write a duration as OpenAI's headers do: `6m0s`, `1.5s`, `20ms`."""
    if seconds < 1.0:
        return f"{math.ceil(seconds * 1000.0)}ms"
    minutes, rest = divmod(seconds, 60.0)
    return f"{int(minutes)}m{rest:.3g}s" if minutes else f"{rest:.3g}s"
