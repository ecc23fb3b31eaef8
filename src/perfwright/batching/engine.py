"""The moving part of a batcher, in one event loop: takes items in, starts batches, settles them.

Nothing here runs while nothing waits: batches are started by what happens (an item arrives, a
batch ends, a timer rings), never by looking whether something has.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perfwright.batching.calling import Caller
from perfwright.batching.counting import Counts
from perfwright.batching.deadlines import Deadlines
from perfwright.batching.patience import Patience
from perfwright.batching.settings import Settings
from perfwright.batching.sizing import SizeController
from perfwright.batching.splitting import Split
from perfwright.batching.waiting import BoundedLine, Item, Priority
from perfwright.core import (
    BatcherStoppedError,
    BatchFunctionError,
    BatchQueueFullError,
    BatchResultError,
    BatchTimeoutError,
    ConfigError,
    is_number,
)

_SLACK_S = 1e-4
"""A timer may ring so much early."""

_GRACE_S = 1.0
"""A batch that is cancelled may take this long to clean up."""

_NEVER_S = 1e9
"""A longer timeout is none: no timer reaches as far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What outlives an event loop."""

    sizes: SizeController
    patience: Patience
    counts: Counts


class Engine:
    """Serves the items of one event loop.

    Args:
        loop: Where all of it happens; its clock is the only one, so that simulated time works.
        settings: The options of the batcher.
        call: Processes a list of items.
        learned: Costs, latencies and counts so far.
        context: Batches run in copies of it, not in the context of whoever submits first.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: Settings,
        *,
        call: Caller,
        learned: Learned,
        context: contextvars.Context,
    ) -> None:
        self.loop, self._settings = loop, settings
        self._call, self._context = call, context
        self._sizes, self._patience = learned.sizes, learned.patience
        self._counts = learned.counts
        self.line = BoundedLine(places=settings.places, ageing_s=settings.ageing_s)
        self._deadlines = Deadlines()
        self.running: dict[asyncio.Task[None], Sequence[Item]] = {}
        self._draining = False
        self._next_pump: asyncio.Handle | None = None
        self._company: asyncio.TimerHandle | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()

    # --- Items come and go ------------------------------------------------------------------------

    def add(self, data: Any, *, priority: Priority, timeout_s: float | None) -> Item:
        """Take an item in.

        Raises:
            BatchQueueFullError: If there is no place and nobody may wait for one.
        """
        settings, counts = self._settings, self._counts
        if settings.refuses and self.line.full:
            counts.refused += 1
            raise BatchQueueFullError(name=settings.name, max_queue_size=int(settings.places))
        learned = False
        if timeout_s is None:
            timeout_s = settings.default_timeout_s
            if timeout_s is None:
                timeout_s, learned = self._patience.timeout_s, True
        elif not (is_number(timeout_s) and timeout_s > 0.0):
            raise ConfigError(field="timeout", value=timeout_s, problem="must be above 0 seconds")
        if priority.__class__ is not Priority:
            priority = _known(priority)
        now_s = self.loop.time()
        item = Item(
            data,
            future=self.loop.create_future(),
            priority=priority,
            queued_s=now_s,
            timeout_s=timeout_s,
            learned=learned,
        )
        self.line.add(item)
        counts.submitted += 1
        if timeout_s < _NEVER_S and self._deadlines.add(item, deadline_s=now_s + timeout_s):
            self._set_alarm()
        if self._next_pump is None and len(self.running) < settings.workers:
            self._pump_soon()
        return item

    def abandon(self, item: Item) -> None:
        """Give up an item whose caller was cancelled."""
        self._counts.cancelled += item.future.cancelled()
        self._deadlines.discard(item)
        self._let_go(item)

    def _let_go(self, item: Item) -> None:
        """Drop an item that waits; end a batch that nobody waits for any more."""
        if item.waits:
            self.line.give_up(item)
            self._changed.set()
        elif item.task is not None:
            items = self.running.get(item.task, ())
            if all(other.future.done() for other in items):
                item.task.cancel()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        due_s = self._deadlines.next_s()
        self._alarm = None if due_s is None else self.loop.call_at(due_s, self._ring)

    def _ring(self) -> None:
        for item in self._deadlines.expired(now_s=self.loop.time()):
            if not item.future.done():
                self._expire(item)
        self._alarm = None
        self._set_alarm()

    def _expire(self, item: Item) -> None:
        self._counts.timed_out += 1
        if item.learned:
            self._patience.timed_out(item.timeout_s)
        error = BatchTimeoutError(
            name=self._settings.name, timeout_s=item.timeout_s, started=not item.waits
        )
        item.future.set_exception(error)
        self._let_go(item)

    # --- Batches ----------------------------------------------------------------------------------

    def _pump_soon(self) -> None:
        """Start batches once the items that come in this turn of the loop are in."""
        if self._next_pump is None:
            self._next_pump = self.loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._next_pump = None
        while len(self.running) < self._settings.workers and (queued := len(self.line)):
            oldest_s = self.line.oldest_s()
            if oldest_s is None:
                return
            now_s = self.loop.time()
            if self._waits_for_company(queued, oldest_s=oldest_s, now_s=now_s):
                return
            size = self._sizes.size(queued, now_s=now_s, waited_s=now_s - oldest_s)
            items = self.line.take(size)
            if items:
                self._begin(items, now_s=now_s)

    def _waits_for_company(self, queued: int, *, oldest_s: float, now_s: float) -> bool:
        if self._company is not None:
            self._company.cancel()
            self._company = None
        due_s = oldest_s + self._settings.max_wait_s
        if self._draining or queued >= self._settings.min_size or due_s <= now_s + _SLACK_S:
            return False
        self._company = self.loop.call_at(due_s, self._pump)
        return True

    def _begin(self, items: Sequence[Item], *, now_s: float) -> None:
        # The one task that no TaskGroup can own: it must outlive whichever caller's turn starts it,
        # and end neither with it nor with the other batches. `running` owns it, `stop` ends it.
        task = self.loop.create_task(self._serve(items), context=self._context.copy())
        self.running[task] = items
        for item in items:
            item.task = task
            self._counts.waited_s += now_s - item.queued_s
        self._counts.started += len(items)
        task.add_done_callback(self._ended)

    async def _serve(self, items: Sequence[Item]) -> None:
        split = Split(items, retry=self._settings.retries)
        error: Exception | None = None
        for number, group in enumerate(split):
            wanted = [item for item in group if not item.future.done()]
            if not wanted:
                continue
            if error is None or not split.hopeless:
                self._counts.retries += number > 0
                error = await self._process(wanted)
            if error is None:
                split.succeeded()
            elif isinstance(error, BatchResultError | ConfigError) or split.failed(wanted):
                for item in wanted:
                    self._fail(item, error)

    async def _process(self, items: Sequence[Item]) -> Exception | None:
        """Call the function once; settle the items, or return what it raised."""
        counts, start_s = self._counts, self.loop.time()
        counts.batches += 1
        counts.items_processed += len(items)
        try:
            results = await self._call([item.data for item in items])
        except Exception as error:  # noqa: BLE001 -- the boundary: it goes to the callers
            counts.calls.add(self.loop.time() - start_s)
            return error
        now_s = self.loop.time()
        counts.calls.add(now_s - start_s)
        self._sizes.observe(len(items), cost_s=now_s - start_s, now_s=now_s)
        for item, result in zip(items, results, strict=True):
            if isinstance(result, Exception):
                self._fail(item, result)
            elif not item.future.done():
                item.future.set_result(result)
                self._deadlines.discard(item)
                self._patience.served(now_s - item.queued_s)
                counts.completed += 1
        return None

    def _fail(self, item: Item, error: Exception) -> None:
        self._deadlines.discard(item)
        if not item.future.done():
            item.future.set_exception(self._raisable(error))
            self._counts.failed += 1

    def _raisable(self, error: Exception) -> Exception:
        if isinstance(error, StopIteration):  # futures refuse it
            return BatchFunctionError(name=self._settings.name, raised=repr(error))
        return error

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        for item in self.running.pop(task, ()):
            if not item.future.done():
                self._fail(item, error if isinstance(error, Exception) else self._stopped())
        self._changed.set()
        self._pump_soon()

    # --- Stopping ---------------------------------------------------------------------------------

    async def drain(self) -> None:
        """Wait until nothing waits and nothing runs."""
        self._draining = True
        self._pump_soon()
        while self.running or self.line or self.line.outside:
            self._changed.clear()
            await self._changed.wait()

    async def end(self) -> None:
        """Fail what waits, cancel what runs, and wait until that has ended.

        A function that goes on when it is cancelled is left to itself after a while.
        """
        for item in self.line.take_all():
            self._fail(item, self._stopped())
        for task in self.running:
            task.cancel()
        while self.running:
            _, deaf = await asyncio.wait(list(self.running), timeout=_GRACE_S)
            for task in deaf:
                for item in self.running.pop(task, ()):
                    self._fail(item, self._stopped())
        for timer in (self._next_pump, self._company, self._alarm):
            if timer is not None:
                timer.cancel()

    def _stopped(self) -> BatcherStoppedError:
        problem = "ended before it had processed this item; submit it again after start()"
        return BatcherStoppedError(name=self._settings.name, problem=problem)


def _known(priority: int) -> Priority:
    """Accept the number of a priority, and name the priorities otherwise."""
    try:
        return Priority(priority)
    except ValueError:
        names = ", ".join(f"Priority.{each.name}" for each in Priority)
        raise ConfigError(field="priority", value=priority, problem=f"give {names}") from None
