"""What limits between processes have in common: a local line, and a place that has the buckets.

A call that cannot go at once gets a moment of its own, later calls of all processes queue behind
it, and nobody asks twice. So each process asks for one moment at a time, for the first in its line,
and for what else goes soon.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Self

from perfwright.core import (
    Clock,
    LimiterUnavailableError,
    LimitTimeoutError,
    SystemClock,
)
from perfwright.limits._alarm import Alarm
from perfwright.limits._checking import check_range
from perfwright.limits._counts import Counts
from perfwright.limits._line import Line, Waiter
from perfwright.limits._place import Grant, Place, Settlement
from perfwright.limits.rate import Cost, Costs, Oversized, Rate, Tariff, nothing_of
from perfwright.limits.reservation import Reservation
from perfwright.monitoring import Metric

_BATCH = 64
_SHORTEST_TIMEOUT_S = 0.1
"""A timeout below this leaves no time for asking; the place still refuses what comes too late."""


Outcome = Grant | float
"""What a waiting call gets: its grant, or how long it would have had to wait."""


class SharedLimiter(ABC):
    """The part of a shared limiter that waits.

    One task talks to the place, while somebody waits or something is to be settled. It belongs to
    the limiter, because it must survive the cancellation of the call that started it.
    """

    def __init__(
        self,
        rates: Rate | Mapping[str, Rate],
        *,
        name: str,
        oversized: Oversized,
        ageing_s: float,
        clock: Clock | None,
    ) -> None:
        check_range("ageing_s", ageing_s, at_least=0.0)
        self.name = name
        self._clock = clock if clock is not None else SystemClock()
        self._tariff = Tariff(rates, oversized=oversized)
        self._line: Line[Outcome] = Line(ageing_s=ageing_s)
        self._granted: deque[tuple[float, Grant, Waiter[Outcome]]] = deque()
        self._to_settle: list[tuple[Place, Settlement]] = []
        self._lost_settlements = 0
        self._counts = Counts(name, self._tariff.names)
        self._asked = 0  # calls that the place is being asked for
        self._closed = False
        self._work: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._alarm = Alarm(self._clock, ring=self._tell)

    @property
    @abstractmethod
    def _place(self) -> Place:
        """Where the buckets are."""

    async def acquire(
        self, cost: Cost = 1.0, *, priority: int = 0, timeout_s: float | None = None
    ) -> None:
        """Wait until the call may be made.

        Args:
            cost: What it takes; with several limits one number for each by name.
            priority: The lower, the more urgent, among those of this process that wait.
            timeout_s: Refuse the call when it would have to wait for longer, as soon as that is
                known; None waits for as long as it takes.

        Raises:
            ConfigError: If the cost is not one.
            CostTooHighError: If no wait would ever be long enough.
            LimitTimeoutError: If it may not be made in time.
            LimiterUnavailableError: If nobody knows what is left.
        """
        await self._take(self._tariff.costs(cost), priority=priority, timeout_s=timeout_s)

    async def reserve(
        self, cost: Cost, *, priority: int = 0, timeout_s: float | None = None
    ) -> Reservation:
        """As `acquire`, for a call whose cost is an estimate until it is over."""
        costs = self._tariff.costs(cost)
        grant = await self._take(costs, priority=priority, timeout_s=timeout_s)
        return Reservation(
            costs,
            tariff=self._tariff,
            moment_s=grant.slot_s,
            settle=partial(self._settle, grant=grant),
        )

    def get_stats(self) -> dict[str, Any]:
        """Return totals of this process since its start; times are seconds."""
        own = {"lost_settlements": self._lost_settlements}
        return self._counts.as_dict(waiting=self._waiting()) | own

    def metrics(self) -> Iterator[Metric]:
        """Yield the same as metrics."""
        yield from self._counts.metrics(waiting=self._waiting())
        yield Metric(
            name="limit_lost_settlements",
            kind="counter",
            value=self._lost_settlements,
            help="Calls whose unused cost could not be given back.",
            labels={"limiter": self.name},
        )

    async def aclose(self) -> None:
        """Settle what is left to settle; calls that still wait get a LimiterUnavailableError."""
        self._closed = True
        self._tell()
        if self._work is not None:
            await asyncio.wait({self._work})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _take_at_once(self, costs: Costs) -> Grant | None:
        """Take without waiting, where the place can be asked without waiting."""
        return None

    async def _take(self, costs: Costs, *, priority: int, timeout_s: float | None) -> Grant:
        check_range("timeout_s", timeout_s, at_least=0.0)
        if timeout_s is None:
            outcome = await self._ask(costs, priority=priority, max_wait_s=math.inf)
        else:
            try:
                async with asyncio.timeout(max(timeout_s, _SHORTEST_TIMEOUT_S)):
                    outcome = await self._ask(costs, priority=priority, max_wait_s=timeout_s)
            except TimeoutError:
                outcome = math.inf
        if isinstance(outcome, Grant):
            return outcome
        self._counts.timeouts += 1
        raise LimitTimeoutError(limit=self.name, timeout_s=timeout_s or 0.0, wait_s=outcome)

    async def _try(self, costs: Costs) -> bool:
        if self._waiting():
            granted = False
        else:
            granted = isinstance(await self._ask(costs, priority=0, max_wait_s=0.0), Grant)
        self._counts.refused += not granted
        return granted

    async def _ask(self, costs: Costs, *, priority: int, max_wait_s: float) -> Outcome:
        """Return the grant once its moment has come; else how long that would be."""
        if self._closed:
            raise self._closed_error()
        if not self._waiting() and (grant := self._take_at_once(costs)) is not None:
            self._counts.let_through(costs)
            return grant
        now_s = self._clock.now()
        waiter = self._line.join(costs, priority=priority, now_s=now_s, max_wait_s=max_wait_s)
        self._start()
        try:
            outcome = await waiter.future
        except asyncio.CancelledError:
            self._counts.cancelled += 1
            self._leave(waiter)
            raise
        if isinstance(outcome, Grant):
            waited_s = self._clock.now() - now_s if waiter.delayed else 0.0
            self._counts.let_through(costs, wait_s=waited_s)
        return outcome

    def _leave(self, waiter: Waiter[Outcome]) -> None:
        """Let another have the place of a call that waits no more."""
        future = waiter.future
        if waiter.in_line:
            self._line.leave(waiter)
        elif not future.cancelled() and future.exception() is None:
            outcome = future.result()  # it came in the very turn in which the call gave up
            if isinstance(outcome, Grant):
                self._give_back(waiter.costs, grant=outcome)
        self._tell()

    def _settle(self, reserved: Costs, actual: Costs, *, grant: Grant) -> None:
        self._counts.settled(reserved, actual)
        self._correct(reserved, actual, grant=grant)

    def _give_back(self, costs: Costs, *, grant: Grant) -> None:
        self._correct(costs, nothing_of(costs), grant=grant)

    def _correct(self, reserved: Costs, actual: Costs, *, grant: Grant) -> None:
        self._to_settle.append((grant.place, Settlement(reserved, actual, grant.slot_s)))
        self._start()
        self._tell()

    def _waiting(self) -> int:
        return len(self._line) + self._asked + len(self._granted)

    def _start(self) -> None:
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._run())

    def _tell(self) -> None:
        self._news.set()

    async def _run(self) -> None:
        self._news = asyncio.Event()  # an event belongs to one loop, a limiter need not
        try:
            while self._to_settle or self._granted or self._line:
                try:
                    await self._do_next()
                except Exception as error:  # noqa: BLE001 - whatever it is, who waits must hear it
                    self._fail_all(error)
        finally:
            self._alarm.cancel()
            self._work = None

    async def _do_next(self) -> None:
        if self._closed:
            self._fail_all(self._closed_error())
        if self._to_settle:
            await self._send_settlements()
        elif self._granted:
            await self._await_next_grant()
        elif self._line:
            await self._ask_place()

    async def _ask_place(self) -> None:
        """Ask for the next in line; who gets no moment goes back."""
        waiters = self._line.take(_BATCH)
        if not waiters:
            return  # all of them have just been cancelled
        now_s = self._clock.now()
        self._asked = len(waiters)
        first = waiters[0]
        in_time_s = max(0.0, first.max_wait_s - (now_s - first.since_s))
        try:
            taken, place = await self._place.take(
                [waiter.costs for waiter in waiters], first_wait_s=in_time_s
            )
        except Exception as error:
            _fail(waiters, error)
            raise
        finally:
            self._asked = 0
        now_s = self._clock.now()
        granted = len(taken.waits_s)
        for waiter, wait_s in zip(waiters[:granted], taken.waits_s, strict=True):
            waiter.delayed |= wait_s > 0.0
            self._granted.append((now_s + wait_s, Grant(taken.at_s + wait_s, place), waiter))
        if not granted:
            _answer(waiters.pop(0), taken.refused_wait_s)
        for waiter in waiters[granted:]:
            if not waiter.future.done():
                waiter.delayed = True
                self._line.put_back(waiter)
        self._hand_out()

    async def _await_next_grant(self) -> None:
        self._news.clear()
        self._hand_out()
        if self._granted and not self._to_settle:
            self._alarm.set(self._granted[0][0])
            await self._news.wait()

    def _hand_out(self) -> None:
        """Wake those whose moment has come; who has left leaves it to the next one."""
        now_s = self._clock.now()
        while self._granted:
            due_s, grant, waiter = self._granted[0]
            if waiter.future.done():
                self._granted.popleft()
                self._pass_on(grant, waiter.costs, due_s=due_s)
            elif due_s <= now_s:
                self._granted.popleft()
                waiter.future.set_result(grant)
            else:
                return

    def _pass_on(self, grant: Grant, costs: Costs, *, due_s: float) -> None:
        heir = self._line.head()
        if heir is not None and all(a <= b for a, b in zip(heir.costs, costs, strict=True)):
            self._line.take(1)
            self._granted.appendleft((due_s, grant, heir))
            if heir.costs != costs:
                self._correct(costs, heir.costs, grant=grant)
        else:
            self._give_back(costs, grant=grant)

    async def _send_settlements(self) -> None:
        sent, self._to_settle = self._to_settle, []
        for place in {place for place, _ in sent}:
            settlements = [settlement for to, settlement in sent if to is place]
            try:
                await place.settle(settlements)
            except LimiterUnavailableError:
                self._lost_settlements += len(settlements)

    def _fail_all(self, error: Exception) -> None:
        while self._granted:
            _, grant, waiter = self._granted.popleft()
            self._give_back(waiter.costs, grant=grant)
            _fail([waiter], error)
        _fail(self._line.take(len(self._line)), error)

    def _closed_error(self) -> LimiterUnavailableError:
        return LimiterUnavailableError(
            limit=self.name,
            place=self._place.describe(),
            problem="it was closed with aclose(); build another one",
        )


def _answer(waiter: Waiter[Outcome], outcome: Outcome) -> None:
    if not waiter.future.done():
        waiter.future.set_result(outcome)


def _fail(waiters: Sequence[Waiter[Outcome]], error: Exception) -> None:
    for waiter in waiters:
        if not waiter.future.done():
            waiter.future.set_exception(error)
