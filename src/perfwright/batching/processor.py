"""Many callers, one call: items submitted one by one are processed in batches."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from typing import Any, Generic, Literal, Self

from perfwright.batching.calling import BatchFunction, Caller, R, T
from perfwright.batching.counting import Counts, counter_metrics, distribution_metric
from perfwright.batching.engine import Engine, Learned
from perfwright.batching.patience import Patience
from perfwright.batching.settings import checked
from perfwright.batching.sizing import SizeController
from perfwright.batching.waiting import Priority
from perfwright.core import BatcherStoppedError, ConfigError, is_number
from perfwright.monitoring import Metric

_LEAST_TIMEOUT_S = 10.0
"""Of a learned timeout. With 1 s a burst after a slowdown lost items that 3 s would have served."""
_State = Literal["new", "running", "stopping", "stopped"]


class BatchProcessor(Generic[T, R]):
    """Collects submitted items into batches and hands each caller the result of its own item.

    A batch starts the moment a worker is free and takes what waits by then, up to a cap that is
    learned from what batches of each size cost, so that items are ready within `target_latency`.
    It belongs to one event loop at a time and does nothing while nothing is submitted.

    Args:
        process_func: Gets a list of items and returns one result for each, in their order. A
            result that is an Exception is raised for the caller of that item alone.
        min_batch_size: Wait for so many items, but not longer than `max_wait_time`.
        max_batch_size: Never take more. By default the learned cap alone holds.
        max_wait_time: Seconds that an item waits for company at most while a worker is free. With
            a `min_batch_size` of 1 nothing is ever waited for.
        target_latency: Seconds from submit to result that 95 % of the items should keep.
        workers: How many batches may be processed at the same time.
        max_queue_size: How many items may wait for a batch; unbounded if None.
        when_full: Whether a caller that finds no place waits for one or gets an error.
        default_timeout: Seconds for an item whose caller names no timeout; learned if None.
        ageing: Seconds of waiting that weigh as much as one step of priority.
        retry_failed: Whether a batch that raised is tried again in halves, so that one bad item
            fails alone. Switch it off if processing an item twice does harm.
        run_in_thread: For a function that is not async, and so would block the event loop.
        name: Appears in errors and in the names of threads; the function's name by default.
    """

    def __init__(
        self,
        process_func: BatchFunction[T, R],
        *,
        min_batch_size: int = 1,
        max_batch_size: int | None = None,
        max_wait_time: float = 0.1,
        target_latency: float = 0.1,
        workers: int = 1,
        max_queue_size: int | None = None,
        when_full: Literal["wait", "refuse"] = "wait",
        default_timeout: float | None = None,
        ageing: float = 1.0,
        retry_failed: bool = True,
        run_in_thread: bool = False,
        name: str | None = None,
    ) -> None:
        self._settings = settings = checked(
            name=name if name is not None else getattr(process_func, "__name__", "batcher"),
            min_batch_size=min_batch_size,
            max_batch_size=max_batch_size,
            max_wait_time=max_wait_time,
            target_latency=target_latency,
            workers=workers,
            max_queue_size=max_queue_size,
            when_full=when_full,
            default_timeout=default_timeout,
            ageing=ageing,
            retry_failed=retry_failed,
        )
        threads = workers if run_in_thread else 0
        self._call = Caller(process_func, name=settings.name, threads=threads)
        self._counts = Counts()
        self._patience = Patience(least_s=max(_LEAST_TIMEOUT_S, 10.0 * target_latency))
        self._sizes = SizeController(
            target_s=target_latency,
            min_size=min_batch_size,
            max_size=max_batch_size,
            workers=workers,
        )
        self._context = contextvars.copy_context()
        self._state: _State = "new"
        self._engine: Engine | None = None

    # --- Starting and stopping --------------------------------------------------------------------

    async def start(self) -> None:
        """Take items from now on, also after a `stop`; the first `submit` starts a new one too."""
        if self._state == "stopping":
            raise self._refusal("is stopping; wait for stop() before you start it again")
        self._start(asyncio.get_running_loop())

    def _start(self, loop: asyncio.AbstractEventLoop) -> Engine:
        engine = self._engine
        if engine is not None and engine.loop is not loop and self._alive(engine):
            raise self._refusal(
                "runs in another event loop; stop it there, or make one for each loop"
            )
        if engine is None or engine.loop is not loop or self._state == "stopped":
            learned = Learned(sizes=self._sizes, patience=self._patience, counts=self._counts)
            engine = self._engine = Engine(
                loop, self._settings, call=self._call, learned=learned, context=self._context
            )
        self._state = "running"
        return engine

    def _alive(self, engine: Engine) -> bool:
        return self._state in ("running", "stopping") and not engine.loop.is_closed()

    def _refusal(self, problem: str) -> BatcherStoppedError:
        return BatcherStoppedError(name=self._settings.name, problem=problem)

    def _opened(self, loop: asyncio.AbstractEventLoop) -> Engine:
        """Return the engine of `loop`; a batcher of a loop that is closed moves to this one."""
        if self._state in ("stopping", "stopped"):
            raise self._refusal("was stopped and takes no more items; call start() to go on")
        return self._start(loop)

    async def stop(
        self,
        *,
        drain: bool = True,
        timeout: float | None = None,  # noqa: ASYNC109 -- the name is a contract
    ) -> None:
        """Take no more items, and return when no batch runs any more.

        Args:
            drain: Process all items that wait. Otherwise they fail with BatcherStoppedError, and
                running batches are cancelled.
            timeout: Seconds after which draining is given up; None for no limit.
        """
        if timeout is not None and not (is_number(timeout) and timeout >= 0.0):
            raise ConfigError(field="timeout", value=timeout, problem="must be 0 seconds or more")
        engine = self._engine
        if engine is None or self._state == "stopped" or engine.loop.is_closed():
            self._state = "stopped"
            return
        if engine.loop is not asyncio.get_running_loop():
            raise self._refusal("runs in another event loop; stop it there")
        self._state = "stopping"
        if drain:
            try:
                async with asyncio.timeout(timeout):
                    await engine.drain()
            except TimeoutError:
                pass  # what is left is dropped, as the caller asked
        await engine.end()
        self._call.close()
        self._state = "stopped"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self.stop(drain=kind is None)

    # --- Items ------------------------------------------------------------------------------------

    async def submit(
        self,
        data: T,
        priority: Priority = Priority.NORMAL,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 -- the name is a contract
    ) -> R:
        """Hand in one item and wait for its result.

        A caller that is cancelled gives up its own item alone. An item that still waits by then is
        not processed.

        Args:
            data: The item.
            priority: More urgent items go first; waiting makes up for a lower priority.
            timeout: Seconds from now; `math.inf` for no limit. By default `default_timeout`, or
                else several times what items took lately.

        Raises:
            BatchTimeoutError: If there is no result in time.
            BatchQueueFullError: If there is no place and the batcher refuses.
            BatcherStoppedError: If it was stopped, before or meanwhile.
            BatchError: If process_func broke its contract.
            Exception: What process_func raised for this item.
        """
        loop = asyncio.get_running_loop()
        engine = self._engine
        if engine is None or engine.loop is not loop or self._state != "running":
            engine = self._opened(loop)
        item = engine.add(data, priority=priority, timeout_s=timeout)
        try:
            result: R = await item.future
        except asyncio.CancelledError:
            engine.abandon(item)
            raise
        return result

    # --- What it does -----------------------------------------------------------------------------

    def get_stats(self) -> dict[str, Any]:
        """Return counts, averages and what was learned; times in seconds."""
        counts, engine = self._counts, self._engine
        latency = self._patience.durations
        quantiles = latency.quantiles([0.5, 0.95, 0.99])
        return {
            "avg_batch_size": counts.avg_batch_size,
            "avg_wait_time": counts.avg_wait_s,
            "avg_process_time": counts.calls.mean_s,
            "avg_latency": latency.mean_s,
            "p50_latency": quantiles[0.5],
            "p95_latency": quantiles[0.95],
            "p99_latency": quantiles[0.99],
            "submitted": counts.submitted,
            **counts.outcomes(),
            "batches": counts.batches,
            "retries": counts.retries,
            "queue_size": len(engine.line) if engine else 0,
            "waiting_for_place": engine.line.outside if engine else 0,
            "running_batches": len(engine.running) if engine else 0,
            "batch_size_cap": self._sizes.cap,
            "default_timeout": self._settings.default_timeout_s or self._patience.timeout_s,
            "trials": self._sizes.trials,
            "relearned": self._sizes.relearned,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield the present values, for `perfwright.monitoring`."""
        stats = self.get_stats()
        yield from counter_metrics(self._counts)
        yield distribution_metric(
            "batch_latency", self._patience.durations, about="From submit to result, of an item."
        )
        yield distribution_metric(
            "batch_process", self._counts.calls, about="One call of process_func."
        )
        for name, about in (
            ("queue_size", "Items that wait for a batch."),
            ("running_batches", "Batches that are being processed."),
            ("batch_size_cap", "Items that a batch may take at most, as learned."),
        ):
            yield Metric(
                name=f"batch_{name.removeprefix('batch_')}",
                kind="gauge",
                value=stats[name],
                help=about,
            )
        yield Metric(
            name="batch_default_timeout",
            kind="gauge",
            value=stats["default_timeout"],
            unit="seconds",
            help="What an item may take whose caller named no timeout.",
        )
