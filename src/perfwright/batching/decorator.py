"""`@batched`: a batch function whose items can be submitted one by one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, overload

from perfwright.batching.calling import BatchFunction, R, T
from perfwright.batching.processor import BatchProcessor
from perfwright.batching.waiting import Priority


class BatchedFunction(Generic[T, R]):
    """What `@batched` returns: called with a list it is the function itself."""

    __name__: str

    def __init__(self, function: BatchFunction[T, R], **options: Any) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self.processor: BatchProcessor[T, R] = BatchProcessor(function, **options)

    def __call__(self, items: list[T]) -> Any:
        """Process `items` as one batch, at once, by calling the function directly."""
        return self._function(items)

    async def submit(
        self,
        data: T,
        priority: Priority = Priority.NORMAL,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 -- the name is a contract
    ) -> R:
        """Hand in one item and wait for its result; see `BatchProcessor.submit`."""
        return await self.processor.submit(data, priority, timeout=timeout)

    async def start(self) -> None:
        """Take items again after a `stop`; see `BatchProcessor.start`."""
        await self.processor.start()

    async def stop(
        self,
        *,
        drain: bool = True,
        timeout: float | None = None,  # noqa: ASYNC109 -- the name is a contract
    ) -> None:
        """Take no more items; see `BatchProcessor.stop`."""
        await self.processor.stop(drain=drain, timeout=timeout)

    def get_stats(self) -> dict[str, Any]:
        """Return counts, averages and what was learned; see `BatchProcessor.get_stats`."""
        return self.processor.get_stats()

    def __set_name__(self, owner: type, name: str) -> None:
        """Refuse to be a method: items of several objects would meet in one batch, without self."""
        raise TypeError(
            f"@batched cannot decorate the method {owner.__name__}.{name}; make a "
            f"BatchProcessor(self.{name}, ...) in __init__"
        )


@overload
def batched(process_func: BatchFunction[T, R], /) -> BatchedFunction[T, R]: ...


@overload
def batched(**options: Any) -> Callable[[BatchFunction[T, R]], BatchedFunction[T, R]]: ...


def batched(process_func: BatchFunction[T, R] | None = None, /, **options: Any) -> Any:
    """Give a function that processes a list a `submit` for single items.

    Args:
        process_func: Gets a list and returns one result for each item.
        **options: Those of `BatchProcessor`.
    """
    if process_func is not None:
        return BatchedFunction(process_func, **options)
    return functools.partial(BatchedFunction, **options)
