"""Functions that process batches, and ways to submit to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from perfwright.batching import BatchProcessor


class Recorder:
    """Returns each item doubled after `cost_s(size)` seconds, and remembers the batches.

    Args:
        cost_s: Seconds of a batch by its size.
        bad: Items that make their batch fail with ValueError.
    """

    def __init__(
        self, cost_s: Callable[[int], float] = lambda _: 0.01, *, bad: Iterable[Any] = ()
    ) -> None:
        self.batches: list[list[Any]] = []
        self._cost_s, self._bad = cost_s, frozenset(bad)

    async def __call__(self, items: list[Any]) -> list[Any]:
        self.batches.append(list(items))
        await asyncio.sleep(self._cost_s(len(items)))
        if found := self._bad.intersection(items):
            raise ValueError(f"cannot process {sorted(found)}")
        return [item * 2 for item in items]

    @property
    def sizes(self) -> list[int]:
        """How many items each batch had."""
        return [len(batch) for batch in self.batches]


async def submit_all(
    processor: BatchProcessor[Any, Any], items: Iterable[Any], **options: Any
) -> list[Any]:
    """Submit all at once; return results and errors in the order of the items."""
    return await settled([start(processor, item, **options) for item in items])


def start(processor: BatchProcessor[Any, Any], item: Any, **options: Any) -> asyncio.Task[Any]:
    """Submit one item in a task."""
    return asyncio.get_running_loop().create_task(processor.submit(item, **options))


async def settled(tasks: Iterable[asyncio.Task[Any]]) -> list[Any]:
    """Return results and errors of `tasks`."""
    return list(await asyncio.gather(*tasks, return_exceptions=True))
