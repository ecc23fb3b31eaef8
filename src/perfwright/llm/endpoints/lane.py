"""The way to one endpoint: who waits, who goes next, and what their requests have shown of it."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Mapping

from perfwright.core import (
    BreakerOpenError,
    Clock,
    LimitTimeoutError,
    ProviderError,
    ProviderLimitError,
    ProviderTimeoutError,
)
from perfwright.limits import BreakerState, CircuitBreaker
from perfwright.limits._alarm import Alarm
from perfwright.limits._line import Line, Waiter
from perfwright.llm.endpoints.allowance import Allowance
from perfwright.llm.endpoints.endpoint import Endpoint
from perfwright.llm.endpoints.settings import CallSettings
from perfwright.llm.endpoints.sharing import SharedLimits
from perfwright.llm.endpoints.sizes import Size, Sizes
from perfwright.llm.endpoints.ticket import Ticket
from perfwright.llm.transport import Transport

_AGEING_S = 5.0
_DOWN_S = 1e6
"""Added to the delay of an endpoint that is down: any other is better, then the next to probe."""
_IN_FRONT = -1_000_000
"""Priority of retries: what has begun is finished before anything new."""


class Lane:
    """Lets requests through to an endpoint, in order, and wakes exactly when the next can go.

    Args:
        endpoint: Where to.
        transport: How.
        settings: Of all calls.
        clock: Gives the time and waits.
        rng: Source of jitter.
        recovered: Told when the endpoint works again after it was down.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        transport: Transport,
        *,
        settings: CallSettings,
        clock: Clock,
        rng: random.Random,
        recovered: Callable[[], None],
    ) -> None:
        self.endpoint, self.name, self.transport = endpoint, endpoint.name, transport
        self.shared: SharedLimits | None = None
        self.has_alternatives = False
        """Calls that wait may go elsewhere when this endpoint cannot take them soon."""
        self.attempts = self.limited = self.moved = 0
        self.limit_waits, self.limit_wait_s = 0, 0.0
        self._settings, self._clock, self._recovered = settings, clock, recovered
        self.allowance = Allowance(
            endpoint, headroom_ratio=settings.headroom_ratio, rng=rng, now_s=clock.now()
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
        self._sizes = Sizes()
        self._down_since_s = math.inf
        self._line: Line[Ticket | None] = Line(ageing_s=_AGEING_S)
        self._alarm = Alarm(clock, ring=self._serve)

    # --- what it is like

    @property
    def is_down(self) -> bool:
        """The breaker lets nothing through but probes."""
        return self.breaker.state is not BreakerState.CLOSED

    @property
    def is_limited(self) -> bool:
        """A limit is known, or it has refused something."""
        return not self.allowance.learner.ventures

    @property
    def waiting(self) -> int:
        """Calls in the line."""
        return len(self._line)

    @property
    def load(self) -> float:
        """Calls under way or waiting, for its weight."""
        calls = self.allowance.gate.in_flight + len(self._line) + 1
        return calls / (self.endpoint.weight or 1.0)

    def delay_s(self, size: Size, now_s: float) -> float:
        """Return about how long a call would wait here."""
        gate = self.allowance.gate
        queued_s = gate.seconds_for(self.waiting, self._sizes.tokens(size)) if self._line else 0.0
        return max(queued_s, self.blocked_s(now_s))

    def blocked_s(self, now_s: float) -> float:
        """Return for how long it takes no call whatever its rate: a pause, or an open breaker."""
        state = self.breaker.state
        if state is BreakerState.HALF_OPEN:
            return _DOWN_S  # nobody knows until the probe is back
        paused_s = self.allowance.gate.paused_until_s - now_s
        if state is BreakerState.OPEN and (open_s := self.breaker.retry_after_s(now_s)) > 0.0:
            return _DOWN_S + max(open_s, paused_s)
        return max(0.0, paused_s)

    # --- going in

    def try_enter(self, size: Size, now_s: float, *, ahead: bool = False) -> Ticket | None:
        """Let a request through if it can go at once; it only overtakes those that wait if told."""
        if self._line and not ahead:
            return None
        admitted = self._admit(size, now_s)
        return admitted if isinstance(admitted, Ticket) else None

    async def enter(
        self, size: Size, *, priority: int, deadline_s: float, retried: bool
    ) -> Ticket | None:
        """Wait until the request can go; None: it had better choose its endpoint anew.

        Raises:
            BreakerOpenError: If the endpoint is down, and has been for too long to wait for it.
            LimitTimeoutError: If it cannot go before `deadline_s`.
        """
        now_s = self._clock.now()
        self._check_worth_waiting(now_s, deadline_s=deadline_s)
        rank = _IN_FRONT if retried else -priority
        waiter = self._line.join(size, priority=rank, now_s=now_s, max_wait_s=math.inf)
        if self._line.head() is waiter:
            self._serve()
        ticket = await self._wait(waiter, now_s, deadline_s=deadline_s)
        self.limit_waits += 1
        self.limit_wait_s += self._clock.now() - now_s
        return ticket

    async def share(self, ticket: Ticket, *, priority: int, timeout_s: float) -> bool:
        """Take what other processes may take, too; False: meanwhile the endpoint was stopped.

        Raises:
            LimitTimeoutError: If it cannot be had in time.
        """
        if self.shared is None:
            return True
        try:
            ticket.reservation = await self.shared.reserve(
                ticket.tokens,
                priority=priority,
                timeout_s=None if timeout_s == math.inf else timeout_s,
            )
        except BaseException:
            self.abandoned(ticket, sent=False)
            raise
        now_s = self._clock.now()
        if self.breaker.retry_after_s(now_s) or self.allowance.gate.paused_until_s > now_s:
            self.abandoned(ticket, sent=False)
            return False
        return True

    def evict(self) -> None:
        """Let those that wait choose anew."""
        for waiter in self._line.take(len(self._line)):
            self.moved += 1
            waiter.future.set_result(None)
        self._alarm.cancel()

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
            if self.is_down:
                retry_after_s = self.breaker.retry_after_s(self._clock.now())
                raise BreakerOpenError(name=self.name, retry_after_s=retry_after_s) from None
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
            ticket = waiter.future.result()  # let through in the very turn in which it gave up
            if ticket is not None:
                self.abandoned(ticket, sent=False)
        if self._line:
            self._serve()
        else:
            self._alarm.cancel()

    def _check_worth_waiting(self, now_s: float, *, deadline_s: float) -> None:
        retry_after_s = self.breaker.retry_after_s(now_s)
        if now_s >= self._give_up_s or now_s + retry_after_s > deadline_s:
            raise BreakerOpenError(name=self.name, retry_after_s=retry_after_s)
        paused_until_s = self.allowance.gate.paused_until_s
        if paused_until_s > deadline_s:
            raise LimitTimeoutError(
                limit=self.name,
                timeout_s=max(0.0, deadline_s - now_s),
                wait_s=paused_until_s - now_s,
            )

    @property
    def _give_up_s(self) -> float:
        """When nobody waits any more for an endpoint that is down."""
        return self._down_since_s + self._settings.wait_when_down_s

    def _serve(self) -> None:
        """Let through who can go, and set the alarm for the next one."""
        now_s = self._clock.now()
        while (head := self._line.head()) is not None:
            admitted = self._admit(head.costs, now_s)
            if not isinstance(admitted, Ticket):
                self._sleep(admitted, now_s)
                return
            self._line.take(1)
            head.future.set_result(admitted)
        self._alarm.cancel()

    def _sleep(self, wait_s: float, now_s: float) -> None:
        if now_s >= self._give_up_s:
            self._fail_all(now_s)
        elif (until_s := min(now_s + wait_s, self._give_up_s)) < math.inf:
            self._alarm.set(until_s)
        else:
            self._alarm.cancel()  # the end of another call will serve

    def _fail_all(self, now_s: float) -> None:
        retry_after_s = self.breaker.retry_after_s(now_s)
        for waiter in self._line.take(len(self._line)):
            waiter.future.set_exception(
                BreakerOpenError(name=self.name, retry_after_s=retry_after_s)
            )

    def _admit(self, size: Size, now_s: float) -> Ticket | float:
        """Let a request through, or return the seconds until it is worth asking again."""
        tokens = self._sizes.tokens(size)
        wait_s = self.allowance.wait_s(tokens, now_s)
        if wait_s > 0.0:
            return wait_s
        if (
            self.breaker.state is BreakerState.OPEN
            and (wait_s := self.breaker.retry_after_s(now_s)) > 0.0
        ):
            return wait_s
        permit = self.breaker.allow(now_s)
        if permit is None:
            return math.inf  # the probe under way will tell
        self.allowance.take(tokens, now_s)
        self.attempts += 1
        return Ticket(permit, size=size, tokens=tokens, taken_s=now_s)

    # --- coming out

    def answered(self, ticket: Ticket, headers: Mapping[str, str]) -> float:
        """The endpoint has answered; returns the time. The place is kept until `over`."""
        now_s = self._clock.now()
        self._works(ticket, now_s)
        for limit, rate in self.allowance.answered(headers, now_s, sent_s=ticket.taken_s):
            if self.shared is not None:
                self.shared.allow(rate, limit=limit)
        return now_s

    def erred(self, ticket: Ticket, error: ProviderError) -> None:
        """The request has failed, and is over."""
        now_s = self._clock.now()
        if isinstance(error, ProviderLimitError):
            self._works(ticket, now_s)  # whoever says no is there
            self._is_refused(ticket, error, now_s=now_s)
            self.over(ticket, tokens=0.0)
        elif ticket.hurried and isinstance(error, ProviderTimeoutError) and not self.is_down:
            self.abandoned(ticket, sent=True)
        elif error.is_transient:
            self._fails(ticket, now_s)
            self.over(ticket, tokens=None)
        else:
            self._works(ticket, now_s)
            self.over(ticket, tokens=0.0)

    def abandoned(self, ticket: Ticket, *, sent: bool) -> None:
        """The request was given up, or never sent, which says nothing about the endpoint."""
        self.breaker.release(ticket.permit)
        self.over(ticket, tokens=None if sent else 0.0)

    def over(self, ticket: Ticket, *, tokens: float | None) -> None:
        """The request has ended; it cost so many tokens, None if that is not known."""
        actual = ticket.tokens if tokens is None else tokens
        if tokens:
            self._sizes.note(ticket.size, actual=tokens)
        if ticket.is_lost:
            self.allowance.gate.in_flight += 1
        self.allowance.gate.settle(
            ticket.tokens, self._clock.now(), actual=actual, taken_s=ticket.taken_s
        )
        if ticket.reservation is not None and tokens is not None:
            ticket.reservation.settle({"requests": 1.0 if tokens else 0.0, "tokens": tokens})
        if self._line:
            self._serve()

    def _is_refused(self, ticket: Ticket, error: ProviderLimitError, *, now_s: float) -> None:
        self.limited += 1
        pause_s = self.allowance.refused(
            ticket.taken_s, now_s, headers=error.headers, asked_s=error.retry_after_s
        )
        if self.shared is not None:
            self.shared.pause(pause_s)
        if pause_s > self._settings.fallback_after_s:
            self._divert()

    def _works(self, ticket: Ticket, now_s: float) -> None:
        was_down = self.is_down
        self.breaker.record_success(ticket.permit, now_s)
        if was_down and not self.is_down:
            self._down_since_s = math.inf
            self._recovered()

    def _fails(self, ticket: Ticket, now_s: float) -> None:
        was_down = self.is_down
        self.breaker.record_failure(ticket.permit, now_s)
        if self.is_down and not was_down:
            self._down_since_s = now_s
            self._divert()

    def _divert(self) -> None:
        if self.has_alternatives:
            self.evict()
