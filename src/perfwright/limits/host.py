"""Rate limits between the processes of one host, without a server: the buckets are in a file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, starmap
from pathlib import Path
from typing import Any, TypeVar

from perfwright.core import Clock, ConfigError, LimiterUnavailableError
from perfwright.limits._checking import check_range
from perfwright.limits._counts import available_metric
from perfwright.limits._host_file import HostFile
from perfwright.limits._place import Grant, Place, Settlement, Taken, take_in_order
from perfwright.limits.bucket import Buckets
from perfwright.limits.rate import Cost, Costs, Oversized, Rate, Tariff
from perfwright.limits.shared import SharedLimiter
from perfwright.monitoring import Metric

_MOST_TURNS = 100_000
"""Given to others while the lock is held: it is held for microseconds, and for so long only by a
process that was stopped with it."""
_MOST_S = 2.0
"""The same where others use each turn for milliseconds, but not before `_LEAST_TURNS`."""
_LEAST_TURNS = 100
_MAX_LIMITS = 12

Answer = TypeVar("Answer")


class HostRateLimiter(SharedLimiter):
    """A `RateLimiter` for all processes of one host that name the same file.

    A call that can go at once costs a file lock and some microseconds, and no switch of tasks. A
    process may be killed at any moment: what it has taken stays spent, and nothing stays locked.

    Args:
        path: A file of its own, made when it is missing; best in memory, such as in /dev/shm.
        rates: One limit, or several by name; the same in all processes.
        name: Appears in errors and metrics; by default the name of the file.
        oversized: See `RateLimiter`.
        ageing_s: See `RateLimiter`.
        headroom_ratio: This share of each rate, 0 to below 1, is never spent, because a task goes
            on a little after its moment, at one time later than at another.
        clock: Gives the time and waits; its time must be the same in all processes, as that of
            `SystemClock` is.
    """

    def __init__(
        self,
        path: Path | str,
        rates: Rate | Mapping[str, Rate],
        *,
        name: str | None = None,
        oversized: Oversized = "refuse",
        ageing_s: float = 5.0,
        headroom_ratio: float = 0.01,
        clock: Clock | None = None,
    ) -> None:
        path = Path(path)
        if not isinstance(rates, Rate) and len(rates) > _MAX_LIMITS:
            problem = f"at most {_MAX_LIMITS} limits fit into the file"
            raise ConfigError(field="rates", value=len(rates), problem=problem)
        name = path.name if name is None else name
        super().__init__(rates, name=name, oversized=oversized, ageing_s=ageing_s, clock=clock)
        check_range("headroom_ratio", headroom_ratio, at_least=0.0, below=1.0)
        self._host_place = HostPlace(
            HostFile(path),
            self._tariff,
            limit=name,
            headroom_ratio=headroom_ratio,
            clock=self._clock,
        )

    @property
    def _place(self) -> Place:
        return self._host_place

    def try_acquire(self, cost: Cost = 1.0) -> bool:
        """Tell whether the call may be made at once; it does not overtake those that wait here.

        Raises:
            LimiterUnavailableError: If the file cannot be used.
        """
        costs = self._tariff.costs(cost)
        granted = not self._waiting() and self._host_place.take_now(costs) is not None
        if granted:
            self._counts.let_through(costs)
        self._counts.refused += not granted
        return granted

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long, in no process, except calls with a moment already."""
        check_range("seconds", seconds, at_least=0.0)
        self._host_place.pause(seconds)

    def set_rate(self, rate: Rate, *, limit: str | None = None) -> None:
        """Change a limit for all processes, also for those that start later with this file."""
        which = self._tariff.names.index(self._tariff.check_name(limit))
        self._host_place.set_rate(rate, which=which)
        self._tariff.change(rate, limit=limit)

    def available(self) -> dict[str, float]:
        """Return what could be taken at once of each limit; below 0 there is a debt."""
        return dict(zip(self._tariff.names, self._host_place.look(), strict=True))

    def get_stats(self) -> dict[str, Any]:
        """Return totals of this process since its start; times are seconds."""
        return super().get_stats() | {"available": self.available()}

    def metrics(self) -> Iterator[Metric]:
        """Yield the same as metrics."""
        yield from super().metrics()
        for limit, value in self.available().items():
            yield available_metric(value, limiter=self.name, limit=limit)

    async def aclose(self) -> None:
        """Settle what is left to settle, and close the file."""
        await super().aclose()
        self._host_place.close()

    def _take_at_once(self, costs: Costs) -> Grant | None:
        taken = self._host_place.take_now(costs)
        return None if taken is None else Grant(taken.at_s, self._host_place)


class HostPlace(Place):
    """Reads the buckets from the file, and writes them back, under its lock."""

    def __init__(
        self, file: HostFile, tariff: Tariff, *, limit: str, headroom_ratio: float, clock: Clock
    ) -> None:
        self._headroom_ratio = headroom_ratio
        self._file, self._tariff, self._limit, self._clock = file, tariff, limit, clock

    def take_now(self, costs: Costs) -> Taken | None:
        """Take for one call, if it can go at once."""
        taken = self._change(lambda buckets: self._take(buckets, [costs], first_wait_s=0.0))
        return taken if taken.waits_s else None

    async def take(self, calls: Sequence[Costs], *, first_wait_s: float) -> tuple[Taken, Place]:
        """Take for all that go soon."""
        taken = self._change(lambda buckets: self._take(buckets, calls, first_wait_s=first_wait_s))
        return taken, self

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Correct what was taken."""

        def correct(buckets: Buckets) -> None:
            now_s = self._clock.now()
            for settled in settlements:
                buckets.settle(
                    settled.reserved, actual=settled.actual, now_s=now_s, slot_s=settled.slot_s
                )

        self._change(correct)

    def pause(self, seconds: float) -> None:
        """Stop all processes for so long."""
        until_s = self._clock.now() + seconds
        self._change(lambda buckets: buckets.pause(until_s))

    def set_rate(self, rate: Rate, *, which: int) -> None:
        """Change one limit for all processes."""
        now_s, spent = self._clock.now(), rate.without(self._headroom_ratio)
        self._change(lambda buckets: buckets.buckets[which].set_rate(spent, now_s), keep_rates=True)

    def look(self) -> list[float]:
        """Return what is left of each limit."""
        now_s = self._clock.now()
        return self._change(lambda buckets: [b.available(now_s) for b in buckets.buckets])

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def describe(self) -> str:
        """Name the file."""
        return f"file {self._file.path}"

    def _take(self, buckets: Buckets, calls: Sequence[Costs], *, first_wait_s: float) -> Taken:
        return take_in_order(buckets, calls, now_s=self._clock.now(), first_wait_s=first_wait_s)

    def _change(self, do: Callable[[Buckets], Answer], *, keep_rates: bool = False) -> Answer:
        """Let `do` change the buckets while nobody else can."""
        try:
            begun_s = 0.0
            for turn in range(_MOST_TURNS):
                with self._file.locked() as file:
                    if file is not None:
                        return self._change_locked(file, do, keep_rates=keep_rates)
                # Not of the limiter's clock, which may stand still: others do not go on by it.
                now_s = time.perf_counter()
                begun_s = begun_s or now_s
                if turn >= _LEAST_TURNS and now_s - begun_s > _MOST_S:
                    break
                os.sched_yield()
        except OSError as error:
            problem = f"{error.strerror}. Choose a file that this process may make and write"
            raise self._unavailable(problem) from error
        problem = "another process holds its lock and does not go on. End that process"
        raise self._unavailable(problem)

    def _change_locked(
        self, file: HostFile, do: Callable[[Buckets], Answer], *, keep_rates: bool
    ) -> Answer:
        rates = [rate.without(self._headroom_ratio) for rate in self._tariff.rates.values()]
        numbers = file.read()
        if numbers:
            limits, kept, *state = numbers
            if limits != len(rates):
                problem = f"it holds {limits:g} limits, not {len(rates)}. Give each its own file"
                raise self._unavailable(problem)
            if kept:
                keep_rates = True
                rates = list(starmap(Rate, zip(*[iter(state[: 2 * len(rates)])] * 2, strict=True)))
            buckets = Buckets.load(rates, state[2 * len(rates) :])
        else:
            buckets = Buckets(rates, now_s=self._clock.now())
        answer = do(buckets)
        pairs = ((bucket.rate.per_s, bucket.rate.burst) for bucket in buckets.buckets)
        flat = chain.from_iterable(pairs)
        file.write([len(rates), float(keep_rates), *flat, *buckets.dump()])
        return answer

    def _unavailable(self, problem: str) -> LimiterUnavailableError:
        return LimiterUnavailableError(limit=self._limit, place=self.describe(), problem=problem)
