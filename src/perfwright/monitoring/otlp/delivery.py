"""What becomes of a batch that was sent: taken, sent again later, cut in two, or given up."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

TRANSIENT = frozenset({429, 502, 503, 504})
"""The statuses that OTLP lets a sender repeat a request after."""
_TOO_LARGE = 413
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How a request ended."""

    status: int | None
    """Of HTTP; None: there was no answer."""
    retry_after: str | None = None
    """The header: seconds, or a date."""
    body: bytes = b""
    """Of the answer."""
    problem: str = ""
    """Of the network, if there was no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What to do now."""

    step: Literal["done", "retry", "split", "drop"]
    wait_s: float = 0.0
    """Before a retry."""


def decide(
    reply: Reply,
    *,
    tries: int,
    max_tries: int,
    spans: int,
    now: datetime,
    rng: random.Random,
) -> Next:
    """Decide about a batch.

    Waits double from 1 s to 30 s, each drawn evenly between its half and itself, so that many
    senders do not come back at once. `Retry-After` is kept to, up to five minutes.

    Args:
        reply: To the last try.
        tries: How often it was sent.
        max_tries: How often it may be sent.
        spans: In the batch.
        now: For a `Retry-After` that is a date.
        rng: Draws the jitter.
    """
    if reply.status is not None and 200 <= reply.status < 300:
        return Next(step="done")
    if reply.status == _TOO_LARGE and spans > 1:
        return Next(step="split")
    if reply.status is not None and reply.status not in TRANSIENT:
        return Next(step="drop")
    if tries >= max_tries:
        return Next(step="drop")
    asked_s = retry_after_s(reply.retry_after, now=now)
    if asked_s is not None:
        return Next(step="retry", wait_s=asked_s)
    wait_s = min(_FIRST_WAIT_S * 2.0 ** (tries - 1), _LONGEST_WAIT_S)
    return Next(step="retry", wait_s=wait_s * rng.uniform(0.5, 1.0))


def retry_after_s(header: str | None, *, now: datetime) -> float | None:
    """Return how long a receiver asks to wait, 0 to 300; None if it does not say so."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            date = parsedate_to_datetime(header)
        except ValueError:
            return None
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), 300.0) if not math.isnan(seconds) else None
