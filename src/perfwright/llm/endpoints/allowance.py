"""What an endpoint allows now: declared, told by headers, or learned; without a clock."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from perfwright.limits import Rate, TokenBucket
from perfwright.llm.endpoints.endpoint import Endpoint
from perfwright.llm.endpoints.gate import Gate, level_at_most
from perfwright.llm.endpoints.learning import RateLearner
from perfwright.llm.endpoints.ticket import Ticket
from perfwright.llm.endpoints.told import ToldLimit

_REFRESH_S = 0.01
_READ_HEADERS_S = 0.02
"""Headers are read so often at most: it takes longer than all else that a call costs here."""
_NEWS_S = 1.0
"""What is left is mostly told as of when the request came in; within so long it is no old news."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 30.0

Changes = Sequence[tuple[str, Rate]]
"""Limits by name, `requests` or `tokens`, with what they are now."""


class Allowance:
    """The limits of one endpoint, and what its answers teach of them."""

    def __init__(
        self, endpoint: Endpoint, *, headroom_ratio: float, rng: random.Random, now_s: float
    ) -> None:
        self.gate = Gate(
            requests=endpoint.requests,
            tokens=endpoint.tokens,
            max_concurrent=endpoint.max_concurrent,
            headroom_ratio=headroom_ratio,
            now_s=now_s,
        )
        self.learner = RateLearner(endpoint.requests)
        self._requests = None if endpoint.requests is not None else ToldLimit()
        self._tokens = None if endpoint.tokens is not None else ToldLimit()
        self._rng = rng
        self._refresh_s = self._read_headers_s = -math.inf
        self._refused_in_a_row = 0

    def wait_s(self, tokens: float, now_s: float) -> float:
        """Return the seconds until a call can go; infinite while it waits for another to end."""
        if now_s >= self._refresh_s:
            self._refresh_s = now_s + _REFRESH_S
            self.gate.set_pace(self.learner.rate(), now_s)
        return self.gate.wait_s(tokens, now_s)

    def take(self, tokens: float, now_s: float) -> None:
        """A request goes out."""
        self.gate.take(tokens, now_s)
        self.learner.sent(now_s)

    def lost(self, ticket: Ticket) -> None:
        """A request is probably lost: it goes on, but no longer counts as under way."""
        if not ticket.is_lost:
            ticket.is_lost = True
            self.gate.in_flight -= 1

    def answered(self, headers: Mapping[str, str], now_s: float, *, sent_s: float) -> Changes:
        """A request of `sent_s` was let in; returns the limits that its headers have changed."""
        self._refused_in_a_row = 0
        if headers and now_s >= self._read_headers_s:
            self._read_headers_s = now_s + _READ_HEADERS_S
            return self._read(headers, now_s, sent_s=sent_s)
        return ()

    def refused(
        self, sent_s: float, now_s: float, *, headers: Mapping[str, str], asked_s: float | None
    ) -> float:
        """A request was one too many; returns for how long nothing is let through.

        Args:
            sent_s: When it went out.
            now_s: The time.
            headers: Of the refusal.
            asked_s: How long the endpoint asks to wait; None or 0: longer each time in a row.
        """
        pause_s = _exactly(asked_s, headers) if asked_s else self._pause_s()
        self.learner.refused(sent_s, now_s=now_s, pause_s=pause_s)
        if headers:
            self._read(headers, now_s, sent_s=sent_s)
        self.gate.set_pace(self.learner.rate(), now_s)
        self.gate.exhaust(now_s)
        self.gate.pause(now_s + pause_s)
        return pause_s

    def stats(self, now_s: float) -> dict[str, Any]:
        """Return what is known of the limits."""
        gate, learned = self.gate, self.learner
        return {
            "requests_per_s": _per_s(gate.requests),
            "tokens_per_s": _per_s(gate.tokens),
            "learned_requests_per_s": _per_s(gate.pace) if learned.is_limited else None,
            "learned_burst": learned.burst,
            "refusals": learned.episodes,
            "paused_s": max(0.0, gate.paused_until_s - now_s),
        }

    def _pause_s(self) -> float:
        longest_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(self._refused_in_a_row, 20))
        self._refused_in_a_row += 1
        return longest_s * self._rng.uniform(0.5, 1.0)

    def _read(self, headers: Mapping[str, str], now_s: float, *, sent_s: float) -> Changes:
        from perfwright.llm.wire.rate_headers import parse_rate_headers  # first call, not import

        facts, changes = parse_rate_headers(headers), list[tuple[str, Rate]]()
        if self._requests is not None and (
            rate := self._requests.note(
                facts.requests_limit, left=facts.requests_left, reset_s=facts.requests_reset_s
            )
        ):
            self.gate.allow_requests(rate, now_s)
            self.learner.told(rate)
            changes.append(("requests", rate))
        if self._tokens is not None and (
            rate := self._tokens.note(
                facts.tokens_limit, left=facts.tokens_left, reset_s=facts.tokens_reset_s
            )
        ):
            self.gate.allow_tokens(rate, now_s)
            changes.append(("tokens", rate))
        age_s = max(0.0, now_s - sent_s - _NEWS_S)
        _correct(self.gate.requests, now_s, left=facts.requests_left, age_s=age_s)
        _correct(self.gate.tokens, now_s, left=facts.tokens_left, age_s=age_s)
        return changes


def _correct(bucket: TokenBucket | None, now_s: float, *, left: int | None, age_s: float) -> None:
    """Others may use the same limit. What is left is told in whole units: one may be missing."""
    if bucket is not None and left is not None:
        level_at_most(bucket, now_s, level=left + 1.0 + age_s * bucket.rate.per_s)


def _per_s(bucket: TokenBucket | None) -> float | None:
    return None if bucket is None else bucket.rate.per_s


def _exactly(asked_s: float, headers: Mapping[str, str]) -> float:
    """Return the wait that was asked for, before it was rounded up to whole seconds."""
    from perfwright.llm.wire.rate_headers import parse_rate_headers

    facts = parse_rate_headers(headers)
    for left, reset_s in (
        (facts.requests_left, facts.requests_reset_s),
        (facts.tokens_left, facts.tokens_reset_s),
    ):
        if left == 0 and reset_s and math.ceil(reset_s) == asked_s:
            return reset_s
    return asked_s
