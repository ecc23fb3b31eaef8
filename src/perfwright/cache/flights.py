"""Single flight: callers of one key share one piece of work, and none of them owns it.

This is the one module of the cache that starts tasks. A `TaskGroup` cannot express a flight: it
would bind the work to the caller that happened to be first, and the others would fail when that
caller is cancelled. A flight's task belongs to `Flights`; it is cancelled when nobody waits for it
any more, and awaited by `aclose`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from perfwright.core import CacheClosedError, FactoryCancelledError, ReentrantFactoryError

T = TypeVar("T")


class _Flight(Generic[T]):
    __slots__ = ("closed", "kept", "key", "labels", "owner", "task", "waiting")

    def __init__(self, owner: Flights[T], key: str, *, labels: Collection[str], kept: bool) -> None:
        self.owner, self.key, self.labels, self.kept = owner, key, labels, kept
        self.task: asyncio.Task[
            T
        ]  # set as soon as it exists: it is started in this flight's context
        self.waiting = 0
        self.closed = False


_within: ContextVar[tuple[_Flight[Any], ...]] = ContextVar("within", default=())
"""The flights that the running task works for, over all caches."""


class Flights(Generic[T]):
    """The work in progress, by key."""

    def __init__(self) -> None:
        self._by_key: dict[str, _Flight[T]] = {}
        self._flying: set[_Flight[T]] = set()  # with those that nobody finds any more
        self._tasks: set[asyncio.Task[Any]] = set()
        self.joined = 0
        """Callers that found the work under way: the calls that single flight has saved."""

    async def join(
        self, key: str, work: Callable[[], Coroutine[Any, Any, T]], *, labels: Collection[str] = ()
    ) -> T:
        """Wait for the flight of `key`, started from `work` if there is none.

        Args:
            key: What is computed.
            work: Makes the coroutine that computes it.
            labels: By which `detach_labelled` finds a flight that is started now.

        Raises:
            ReentrantFactoryError: If called from within that very flight.
            FactoryCancelledError: If the work ended as cancelled from within.
            CacheClosedError: If `aclose` ended it.
        """
        if any(self._is_under_way(outer, key) for outer in _within.get()):
            raise ReentrantFactoryError(key=key)
        flight = self._by_key.get(key)
        if flight is None:
            flight = self._start(key, work, labels=labels, kept=False)
        else:
            self.joined += 1
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if _is_being_cancelled() or not flight.task.cancelled():
                raise
            raise (CacheClosedError if flight.closed else FactoryCancelledError)(key=key) from None
        finally:
            self._leave(flight)

    def start(
        self, key: str, work: Callable[[], Coroutine[Any, Any, T]], *, labels: Collection[str] = ()
    ) -> bool:
        """Start work that nobody waits for, unless there is a flight of `key`; says if started."""
        if key in self._by_key:
            return False
        self._start(key, work, labels=labels, kept=True)
        return True

    def detach(self, key: str) -> None:
        """Let those who wait have the result, and those who come start anew."""
        self._by_key.pop(key, None)

    def detach_labelled(self, label: str) -> None:
        """Detach the flights with a label."""
        for flight in [flight for flight in self._by_key.values() if label in flight.labels]:
            self.detach(flight.key)

    def detach_all(self) -> None:
        """Detach every flight."""
        self._by_key.clear()

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task that lives until it ends or `aclose` cancels it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it is gone."""
        for flight in self._flying:
            flight.closed = True
        self._by_key.clear()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _start(
        self,
        key: str,
        work: Callable[[], Coroutine[Any, Any, T]],
        *,
        labels: Collection[str],
        kept: bool,
    ) -> _Flight[T]:
        flight = _Flight(self, key, labels=labels, kept=kept)
        token = _within.set((*_within.get(), flight))
        try:
            flight.task = self.run(work())  # copies the context, so the flight is known within
        finally:
            _within.reset(token)
        self._by_key[key] = flight
        self._flying.add(flight)
        flight.task.add_done_callback(lambda _: self._land(flight))
        return flight

    def _is_under_way(self, flight: _Flight[Any], key: str) -> bool:
        return flight.owner is self and flight.key == key and not flight.task.done()

    def _land(self, flight: _Flight[T]) -> None:
        self._flying.discard(flight)
        if self._by_key.get(flight.key) is flight:
            del self._by_key[flight.key]
        if not flight.task.cancelled():
            flight.task.exception()  # given up: nobody is left to be told of a failure

    def _leave(self, flight: _Flight[T]) -> None:
        flight.waiting -= 1
        if flight.waiting == 0 and not flight.kept and not flight.task.done():
            if self._by_key.get(flight.key) is flight:
                del self._by_key[flight.key]  # whoever comes now needs work that is not ending
            flight.task.cancel()


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def call(factory: Callable[[], Awaitable[T] | T]) -> T:
    """Call a factory, synchronous or not."""
    made = factory()
    return await made if isinstance(made, Awaitable) else made
