"""Calling the function that processes a batch, whatever it does."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from perfwright.core import BatchFunctionError, BatchResultError, ConfigError

T = TypeVar("T")
R = TypeVar("R")
BatchFunction = Callable[[list[T]], Awaitable[Iterable[R]] | Iterable[R]]


class Caller:
    """Calls a function with a list and returns a list of as many results.

    Args:
        function: What to call.
        name: Of the batcher, for errors.
        threads: How many threads the function may use at once; 0 for an async function.
    """

    def __init__(self, function: BatchFunction[Any, Any], *, name: str, threads: int) -> None:
        self._function, self._name, self._threads = function, name, threads
        self._pool: ThreadPoolExecutor | None = None

    async def __call__(self, items: list[Any]) -> list[Any]:
        """Process `items`.

        Raises:
            BatchResultError: If there are not as many results as items.
            BatchFunctionError: Instead of what would end the event loop or a caller's task.
            Exception: What the function raised.
        """
        number = len(items)
        try:
            results = await (self._in_thread(items) if self._threads else self._here(items))
            returned = None if _unordered(results) else list(results)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise self._broken(error) from error
        except (Exception, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            raise self._broken(error) from error
        if returned is None or len(returned) != number:
            shown = type(results).__name__ if returned is None else f"{len(returned)} results"
            raise BatchResultError(name=self._name, items=number, returned=shown)
        return returned

    async def _here(self, items: list[Any]) -> Any:
        results = self._function(items)
        if inspect.isawaitable(results):
            return await results
        raise ConfigError(
            field="process_func",
            value=self._name,
            problem="is not async, so it would block the event loop; set run_in_thread=True",
        )

    async def _in_thread(self, items: list[Any]) -> Any:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix=self._name)
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        error, results = await loop.run_in_executor(self._pool, context.run, self._outcome, items)
        if error is not None:
            raise error
        return await results if inspect.isawaitable(results) else results

    def _outcome(self, items: list[Any]) -> tuple[BaseException | None, Any]:
        try:
            return None, self._function(items)
        except BaseException as error:  # noqa: BLE001 -- a future cannot carry all; raised above
            return error, None

    def _broken(self, error: BaseException) -> BatchFunctionError:
        return BatchFunctionError(name=self._name, raised=repr(error))

    def close(self) -> None:
        """Let threads end; one that still works is not waited for."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None


def _unordered(results: Any) -> bool:
    """Return whether `results` cannot be matched to items by position."""
    return isinstance(results, str | bytes | Mapping | Set) or not isinstance(results, Iterable)
