"""One call on its way: attempts, waits between them, and the endpoints that it goes through."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from perfwright.core import (
    BreakerOpenError,
    LimitTimeoutError,
    ProviderError,
    ProviderLimitError,
    ProviderTimeoutError,
)
from perfwright.llm.endpoints.choosing import Tiers, choose
from perfwright.llm.endpoints.hedging import Race, StartSecond
from perfwright.llm.endpoints.lane import Lane
from perfwright.llm.endpoints.lateness import Lateness
from perfwright.llm.endpoints.shared import Shared
from perfwright.llm.endpoints.ticket import Ticket
from perfwright.llm.requests import Request
from perfwright.llm.transport import Call

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


_TIMER_S = 0.001
"""Timers may be early by so much."""
_LOOK_AGAIN_S = 0.25
"""Whether a request is lost is looked at so often."""
_ASK_AGAIN_S = 0.05
"""A second request that cannot go yet, since an unknown endpoint is tried gently, may go then."""
_NOTHING: Mapping[str, bool] = {}
_CANCELLED: Mapping[str, bool] = {"cancelled": True}
"""What is also known of an attempt: nothing, or that its caller did not wait for its end."""
_HURRIED_RATIO = 0.5
"""A request with less than this share of the call's time left says little if it is not answered."""


class Once(Protocol[T_co]):
    """Makes one request."""

    def __call__(
        self, lane: Lane, ticket: Ticket, *, request: Request, timeout_s: float
    ) -> Coroutine[Any, Any, T_co]:
        """Return what came of it, and tell the lane."""


class Trip:
    """One call from its first attempt to its answer."""

    __slots__ = (
        "_attempts",
        "_call",
        "_deadline_s",
        "_error",
        "_hedged",
        "_now_s",
        "_resent",
        "_retries",
        "_sent_s",
        "_shared",
        "_size",
        "_streamed",
        "_tiers",
        "_timeout_s",
        "lane",
    )

    def __init__(self, call: Call, tiers: Tiers, *, shared: Shared, streamed: bool) -> None:
        self._call, self._tiers, self._shared, self._streamed = call, tiers, shared, streamed
        self._size = (float(call.prompt_tokens), float(call.completion_tokens))
        self._now_s = shared.clock.now()
        timeout_s = call.request.timeout_s
        self._timeout_s = shared.settings.timeout_s if timeout_s is None else timeout_s
        self._deadline_s = self._now_s + self._timeout_s
        self._attempts = self._retries = 0
        self._error: ProviderError | None = None
        self._hedged = False
        self._sent_s, self._resent = 0.0, 0
        self.lane = tiers[0][0]
        """Where the last attempt went."""

    async def run(self, once: Once[T], *, discard: Callable[[T], None]) -> T:
        """Make attempts until one works, or no further one may help or is allowed.

        Args:
            once: Makes one.
            discard: Takes an answer that came too late to be needed.
        """
        self._shared.calls += 1
        while True:
            ticket, waited = await self._enter()
            self._call.is_under_way = True
            try:
                answer = await self._attempt(
                    once, ticket, hedge=not (waited and self.lane.is_limited), discard=discard
                )
            except ProviderError as error:
                self._call.is_under_way = isinstance(error, ProviderTimeoutError)
                await self._after(error)
            else:
                self._shared.retry_budget.deposit()
                return answer

    # --- before an attempt

    async def _enter(self) -> tuple[Ticket, bool]:
        """Return leave for a request to `lane`, and whether it had to be waited for."""
        waited = False
        while True:
            self._choose()
            ticket = self.lane.try_enter(self._size, self._now_s)
            if ticket is None:
                waited = True
                ticket = await self._wait()
            if ticket is not None and (self.lane.shared is None or await self._share(ticket)):
                return ticket, waited

    def _choose(self) -> None:
        if len(self._tiers) > 1 or len(self._tiers[0]) > 1:
            self.lane = choose(
                self._tiers,
                size=self._size,
                now_s=self._now_s,
                patience_s=self._shared.settings.fallback_after_s,
                last=self.lane if self._error is not None else None,
            )

    async def _share(self, ticket: Ticket) -> bool:
        start_s = self._now_s
        try:
            return await self.lane.share(
                ticket,
                priority=-self._call.request.priority if not self._attempts else -10,
                timeout_s=self._deadline_s - start_s,
            )
        except LimitTimeoutError as error:
            if self._error is not None:
                raise self._error from error
            raise
        finally:
            self._now_s = self._shared.clock.now()
            self._call.trace.add(
                "limit_wait", start_s, end_s=self._now_s, endpoint=self.lane.name, shared=True
            )

    async def _wait(self) -> Ticket | None:
        start_s, stage = self._now_s, "breaker" if self.lane.is_down else "limit_wait"
        try:
            return await self.lane.enter(
                self._size,
                priority=self._call.request.priority,
                deadline_s=self._deadline_s,
                retried=self._attempts > 0,
            )
        except (BreakerOpenError, LimitTimeoutError) as error:
            if self._error is not None:
                raise self._error from error  # what stopped it first says more
            raise
        finally:
            self._now_s = self._shared.clock.now()
            self._call.trace.add(stage, start_s, end_s=self._now_s, endpoint=self.lane.name)

    # --- an attempt

    async def _attempt(
        self, once: Once[T], ticket: Ticket, *, hedge: bool, discard: Callable[[T], None]
    ) -> T:
        self._attempts += 1
        lane, request, start_s = self.lane, self._request(), self._now_s
        timeout_s = self._attempt_timeout_s(start_s)
        ticket.hurried = self._is_cut_short(timeout_s)
        first = once(lane, ticket, request=request, timeout_s=timeout_s)
        lateness = self._shared.lateness(lane, request.model, streamed=self._streamed)
        self._hedged, status, more = False, None, _NOTHING
        self._sent_s, self._resent = start_s, 0
        try:
            if lateness is None:
                answer = await first
            else:
                lateness.silence.began()
                second = self._seconds(
                    lateness, once=once, request=request, ticket=ticket, hedge=hedge
                )
                answer = await self._race(
                    first,
                    second,
                    late_s=lateness.remaining_s(0.0) if hedge else lateness.silence.first_look_s,
                    discard=discard,
                )
            status = 200
        except ProviderError as error:
            status = error.status
            raise
        except asyncio.CancelledError:
            more = _CANCELLED
            raise
        finally:
            self._now_s = end_s = self._shared.clock.now()
            self._call.trace.add(
                "attempt",
                start_s,
                end_s=end_s,
                endpoint=lane.name,
                status=status,
                hedged=self._hedged,
                **more,
            )
            if lateness is not None:
                lateness.silence.ended()
        if lateness is not None:
            sent_s = self._sent_s if self._hedged else start_s
            lateness.silence.answered(sent_s, now_s=end_s)
            lateness.note(end_s - (sent_s if self._resent else start_s))
            self._shared.hedge_budget.deposit()
        return answer

    def _attempt_timeout_s(self, now_s: float) -> float:
        return min(self._shared.settings.attempt_timeout_s, self._deadline_s - now_s)

    def _is_cut_short(self, timeout_s: float) -> bool:
        """The end of the call leaves it so little time that no answer would say little."""
        return (
            timeout_s < self._shared.settings.attempt_timeout_s
            and timeout_s < _HURRIED_RATIO * self._timeout_s
        )

    async def _race(
        self,
        first: Coroutine[Any, Any, T],
        second: StartSecond[T],
        *,
        late_s: float,
        discard: Callable[[T], None],
    ) -> T:
        race: Race[T] = Race(second, discard=discard, start=self._shared.start)
        try:
            return await race.run(first, late_s=late_s)
        finally:
            self._hedged = race.won
            self._shared.hedges_won += race.won

    def _seconds(
        self, lateness: Lateness, *, once: Once[T], request: Request, ticket: Ticket, hedge: bool
    ) -> StartSecond[T]:
        """Return what makes second requests, for a call that is late or whose request is lost."""
        start_s, silence = self._now_s, lateness.silence

        def second() -> Coroutine[Any, Any, T] | float | None:
            now_s = self._shared.clock.now()
            if now_s >= self._deadline_s:
                return None
            if silence.is_lost(self._sent_s, now_s=now_s, before=self._resent):
                self.lane.allowance.lost(ticket)
                return self._again(once, request)
            if not hedge or self._sent_s > start_s:
                return _LOOK_AGAIN_S
            late_in_s = lateness.remaining_s(now_s - start_s)
            return late_in_s if late_in_s >= _TIMER_S else self._hedge(once, request, now_s=now_s)

        return second

    def _hedge(
        self, once: Once[T], request: Request, *, now_s: float
    ) -> Coroutine[Any, Any, T] | float:
        """Return a second request, if the budget has one and the endpoint takes it at once."""
        lane, budget = self.lane, self._shared.hedge_budget
        if lane.is_down or lane.shared is not None:
            return _LOOK_AGAIN_S
        if not budget.take():  # other calls will bring more; this one may still be late then
            return _ASK_AGAIN_S
        ticket = lane.try_enter(self._size, now_s, ahead=not lane.is_limited)
        if ticket is None:
            budget.give_back()
            return _LOOK_AGAIN_S if lane.is_limited else _ASK_AGAIN_S
        ticket.hurried = True
        self._shared.hedges += 1
        self._attempts += 1
        self._sent_s = now_s
        return once(lane, ticket, request=request, timeout_s=self._attempt_timeout_s(now_s))

    async def _again(self, once: Once[T], request: Request) -> T:
        """Send a request that is lost once more, as soon as the endpoint takes it."""
        lane, before_s = self.lane, self._sent_s
        self._sent_s = math.inf  # not lost while it waits
        self._resent += 1
        try:
            ticket = None
            while ticket is None or not await lane.share(
                ticket, priority=-10, timeout_s=self._deadline_s - self._shared.clock.now()
            ):
                ticket = await lane.enter(
                    self._size,
                    priority=self._call.request.priority,
                    deadline_s=self._deadline_s,
                    retried=True,
                )
            self._sent_s = now_s = self._shared.clock.now()
            self._shared.hedges += 1
            self._attempts += 1
            timeout_s = self._attempt_timeout_s(now_s)
            ticket.hurried = self._is_cut_short(timeout_s)
            return await once(lane, ticket, request=request, timeout_s=timeout_s)
        except Exception:
            self._sent_s = before_s
            raise

    def _request(self) -> Request:
        request, model = self._call.request, self.lane.endpoint.model
        if model is None or model == request.body.get("model"):
            return request
        return replace(request, body={**request.body, "model": model}, raw=None)

    # --- after a failed attempt

    async def _after(self, error: ProviderError) -> None:
        """Wait until it is time for the next attempt.

        Raises:
            ProviderError: The error itself, if there will be none.
        """
        error.attempts = self._attempts
        self._error = error
        if not error.is_transient or self._now_s >= self._deadline_s:
            raise error
        if isinstance(error, ProviderLimitError) or self.lane.is_down:
            return  # the lane says when; it has stopped all calls, not just this one
        self._retries += 1
        if self._retries > self._shared.settings.max_retries:
            raise error
        wait_s = max(
            self._shared.backoff.wait_s(self._retries),
            self._shared.retry_budget.take(self._now_s),
            error.retry_after_s or 0.0,
        )
        if self._now_s + wait_s >= self._deadline_s:
            raise error
        self._shared.retries += 1
        start_s = self._now_s
        await self._shared.clock.sleep(wait_s)
        self._now_s = self._shared.clock.now()
        self._call.trace.add("backoff", start_s, end_s=self._now_s)
