"""The way to one endpoint: who waits, who goes next, and what their calls have shown of it."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Mapping

from perfwright.core import BreakerOpenError, Clock, LimitTimeoutError, ProviderLimitError
from perfwright.limits import BreakerState, CircuitBreaker, Permit
from perfwright.limits._alarm import Alarm
from perfwright.limits._line import Line, Waiter
from perfwright.llm.endpoints.endpoint import Endpoint
from perfwright.llm.endpoints.gate import Gate, level_at_most
from perfwright.llm.endpoints.learning import RateLearner
from perfwright.llm.endpoints.settings import CallSettings
from perfwright.llm.endpoints.told import ToldLimit
from perfwright.llm.transport import Transport

_NO_HEADERS: Mapping[str, str] = {}
_LONGEST_PAUSE_S = 30.0
_AGEING_S = 5.0
_REFRESH_S = 0.01
_READ_HEADERS_S = 0.02
"""Headers are read so often at most: it takes longer than everything else that a call costs here."""
_IN_FRONT = -1_000_000
"""Priority of retries: what has begun is finished before anything new."""


class Ticket:
    """Leave for one request, and what it has taken."""

    __slots__ = ("permit", "taken_s", "tokens")

    def __init__(self, permit: Permit, *, tokens: float, taken_s: float) -> None:
        self.permit, self.tokens, self.taken_s = permit, tokens, taken_s


class Lane:
    """Lets calls through to an endpoint, in order, and wakes up exactly when the next can go."""

    def __init__(
        self,
        endpoint: Endpoint,
        transport: Transport,
        *,
        settings: CallSettings,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.endpoint, self.name, self.transport = endpoint, endpoint.name, transport
        self._settings, self._clock = settings, clock
        now_s = clock.now()
        self.gate = Gate(
            requests=endpoint.requests,
            tokens=endpoint.tokens,
            max_concurrent=endpoint.max_concurrent,
            headroom_ratio=settings.headroom_ratio,
            now_s=now_s,
        )
        self.breaker = CircuitBreaker(
            name=endpoint.name,
            consecutive_failures=settings.breaker_failures,
            failure_ratio=0.5,
            window_s=5.0,
            open_s=settings.breaker_open_s,
            max_open_s=settings.breaker_max_open_s,
            probe_timeout_s=settings.attempt_timeout_s,
            rng=rng,
        )
        self.learner = RateLearner(endpoint.requests)
        self._refresh_s = -math.inf
        self._told_requests, self._told_tokens = ToldLimit(), ToldLimit()
        self._read_headers_s = -math.inf
        self._refused_in_a_row = 0
        self._rng = rng
        self._down_since_s = math.inf
        self._line: Line[Ticket | None] = Line(ageing_s=_AGEING_S)
        self._alarm = Alarm(clock, ring=self._serve)

    # --- going in

    def try_enter(self, tokens: float, now_s: float) -> Ticket | None:
        """Let a call through if it can go at once; it does not overtake those that wait."""
        if self._line:
            return None
        admitted = self._admit(tokens, now_s)
        return admitted if isinstance(admitted, Ticket) else None

    async def enter(
        self, tokens: float, *, priority: int, deadline_s: float, retried: bool
    ) -> Ticket | None:
        """Wait until the call can go; None: it had better choose its endpoint anew.

        Raises:
            BreakerOpenError: If the endpoint is down, and has been for too long to wait for it.
            LimitTimeoutError: If it cannot go before `deadline_s`.
        """
        now_s = self._clock.now()
        self._check_worth_waiting(now_s, deadline_s=deadline_s)
        rank = _IN_FRONT if retried else -priority
        waiter = self._line.join((tokens,), priority=rank, now_s=now_s, max_wait_s=math.inf)
        if self._line.head() is waiter:
            self._serve()
        return await self._wait(waiter, now_s, deadline_s=deadline_s)

    async def _wait(
        self, waiter: Waiter[Ticket | None], now_s: float, *, deadline_s: float
    ) -> Ticket | None:
        timeout_s = None if deadline_s == math.inf else deadline_s - now_s
        served = False
        try:
            async with asyncio.timeout(timeout_s):
                ticket = await waiter.future
            served = True
        except TimeoutError:
            raise LimitTimeoutError(
                limit=self.name, timeout_s=timeout_s or 0.0, wait_s=None
            ) from None
        finally:
            if not served:
                self._leave(waiter)
        return ticket

    def _leave(self, waiter: Waiter[Ticket | None]) -> None:
        """Let the next one have the place of a call that waits no more."""
        if waiter.in_line:
            self._line.leave(waiter)
        elif not waiter.future.cancelled() and waiter.future.exception() is None:
            ticket = waiter.future.result()
            if ticket is not None:
                self.abandoned(ticket, sent=False)
        self._serve_if_waiting()

    def _check_worth_waiting(self, now_s: float, *, deadline_s: float) -> None:
        down_for_s = now_s - self._down_since_s
        retry_after_s = self.breaker.retry_after_s(now_s)
        if down_for_s >= self._settings.wait_when_down_s or now_s + retry_after_s > deadline_s:
            raise BreakerOpenError(name=self.name, retry_after_s=retry_after_s)
        if self.gate.paused_until_s > deadline_s:
            wait_s = self.gate.paused_until_s - now_s
            raise LimitTimeoutError(
                limit=self.name, timeout_s=max(0.0, deadline_s - now_s), wait_s=wait_s
            )

    def _serve_if_waiting(self) -> None:
        if self._line:
            self._serve()
        else:
            self._alarm.cancel()

    def _serve(self) -> None:
        """Let through who can go, and set the alarm for the next one."""
        now_s = self._clock.now()
        while (head := self._line.head()) is not None:
            admitted = self._admit(head.costs[0], now_s)
            if not isinstance(admitted, Ticket):
                self._sleep(admitted, now_s)
                return
            self._line.take(1)
            head.future.set_result(admitted)
        self._alarm.cancel()

    def _sleep(self, wait_s: float, now_s: float) -> None:
        give_up_s = self._down_since_s + self._settings.wait_when_down_s
        if now_s >= give_up_s:
            self._fail_all(now_s)
        elif (until_s := min(now_s + wait_s, give_up_s)) < math.inf:
            self._alarm.set(until_s)
        else:
            self._alarm.cancel()  # a call that ends will serve

    def _fail_all(self, now_s: float) -> None:
        for waiter in self._line.take(len(self._line)):
            error = BreakerOpenError(
                name=self.name, retry_after_s=self.breaker.retry_after_s(now_s)
            )
            waiter.future.set_exception(error)

    def _admit(self, tokens: float, now_s: float) -> Ticket | float:
        """Let a call through, or return the seconds until it is worth asking again."""
        if now_s >= self._refresh_s:
            self._refresh_s = now_s + _REFRESH_S
            self.gate.set_pace(self.learner.rate(), now_s)
        wait_s = self.gate.wait_s(tokens, now_s)
        if wait_s > 0.0:
            return wait_s
        if self.breaker.state is BreakerState.OPEN:
            wait_s = self.breaker.retry_after_s(now_s)
            if wait_s > 0.0:
                return wait_s
        permit = self.breaker.allow(now_s)
        if permit is None:
            return math.inf  # the probe under way will tell
        self.gate.take(tokens, now_s)
        self.learner.sent(now_s)
        return Ticket(permit, tokens=tokens, taken_s=now_s)

    # --- coming out

    def answered(
        self, ticket: Ticket, *, tokens: float | None, headers: Mapping[str, str] = _NO_HEADERS
    ) -> float:
        """The endpoint answered; it cost so many tokens, None if it did not say."""
        now_s = self._clock.now()
        self.breaker.record_success(ticket.permit, now_s)
        self._down_since_s = math.inf
        self._refused_in_a_row = 0
        if now_s >= self._read_headers_s and headers:
            self._read_headers_s = now_s + _READ_HEADERS_S
            self._read_headers(headers, now_s)
        self._settle(ticket, now_s, actual=tokens)
        return now_s

    def limited(self, ticket: Ticket, error: ProviderLimitError) -> float:
        """It refused for its limits: nobody is to ask again before the pause is over."""
        now_s = self._clock.now()
        pause_s = self._pause_s(error)
        self.learner.refused(ticket.taken_s, now_s=now_s, pause_s=pause_s)
        self._read_headers(error.headers, now_s)
        self.gate.set_pace(self.learner.rate(), now_s)
        self.gate.exhaust(now_s)
        self.breaker.record_success(ticket.permit, now_s)  # whoever says no is there
        self._down_since_s = math.inf
        self.gate.pause(now_s + pause_s)
        self._settle(ticket, now_s, actual=0.0)
        return now_s

    def failed(self, ticket: Ticket) -> float:
        """It failed, or did not answer."""
        now_s = self._clock.now()
        self.breaker.record_failure(ticket.permit, now_s)
        if self.is_down and self._down_since_s == math.inf:
            self._down_since_s = now_s
        self._settle(ticket, now_s, actual=None)
        return now_s

    def abandoned(self, ticket: Ticket, *, sent: bool) -> None:
        """The request was given up, or never sent, which says nothing about the endpoint."""
        self.breaker.release(ticket.permit)
        self._settle(ticket, self._clock.now(), actual=None if sent else 0.0)

    def _pause_s(self, error: ProviderLimitError) -> float:
        """As long as it asks for; else longer each time in a row."""
        if error.retry_after_s is not None:
            return error.retry_after_s
        self._refused_in_a_row += 1
        longest_s = min(_LONGEST_PAUSE_S, 0.05 * 2.0 ** min(self._refused_in_a_row, 20))
        return longest_s * self._rng.uniform(0.5, 1.0)

    def _read_headers(self, headers: Mapping[str, str], now_s: float) -> None:
        from perfwright.llm.wire.rate_headers import parse_rate_headers

        facts = parse_rate_headers(headers)
        if self.endpoint.requests is None:
            rate = self._told_requests.note(
                facts.requests_limit, left=facts.requests_left, reset_s=facts.requests_reset_s
            )
            if rate is not None:
                self.gate.allow_requests(rate, now_s)
                self.learner.told(rate)
        if self.endpoint.tokens is None:
            rate = self._told_tokens.note(
                facts.tokens_limit, left=facts.tokens_left, reset_s=facts.tokens_reset_s
            )
            if rate is not None:
                self.gate.allow_tokens(rate, now_s)
        if facts.requests_left is not None and self.gate.requests is not None:
            level_at_most(self.gate.requests, facts.requests_left + 1.0, now_s)
        if facts.tokens_left is not None and self.gate.tokens is not None:
            level_at_most(self.gate.tokens, facts.tokens_left, now_s)

    @property
    def is_down(self) -> bool:
        """The breaker lets no calls through but probes."""
        return self.breaker.state is not BreakerState.CLOSED

    def _settle(self, ticket: Ticket, now_s: float, *, actual: float | None) -> None:
        self.gate.settle(
            ticket.tokens,
            now_s,
            actual=ticket.tokens if actual is None else actual,
            taken_s=ticket.taken_s,
        )
        if self._line:
            self._serve()
