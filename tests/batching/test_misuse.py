"""What a caller may get wrong when handing in an item."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perfwright.batching import BatchProcessor
from perfwright.core import BatcherStoppedError, ConfigError


async def same(items: list[int]) -> list[int]:
    return items


def submitted(**options: Any) -> int:
    async def main() -> int:
        async with BatchProcessor(same) as processor:
            return await processor.submit(7, **options)

    return asyncio.run(main())


@pytest.mark.parametrize("priority", ["HIGH", None, 1.5, 99, -1])
def test_what_is_no_priority_is_refused_by_name(priority: object) -> None:
    with pytest.raises(ConfigError, match=r"give Priority\.LOW, Priority\.NORMAL"):
        submitted(priority=priority)


def test_the_number_of_a_priority_is_one() -> None:
    assert submitted(priority=2) == 7


def test_a_timeout_beyond_all_timers_is_none() -> None:
    assert submitted(timeout=1e308) == 7


def test_a_function_that_is_deaf_to_cancellation_does_not_hold_up_the_end() -> None:
    async def deaf(items: list[int]) -> list[int]:
        for _ in range(8):
            try:
                await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                continue
        return items

    async def main() -> float:
        processor = BatchProcessor(deaf)
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            group.create_task(refused(processor))
            await asyncio.sleep(0.05)
            began_s = loop.time()
            await processor.stop(drain=True, timeout=0.1)
            return loop.time() - began_s

    assert asyncio.run(main()) < 2.5


async def refused(processor: BatchProcessor[int, int]) -> None:
    with pytest.raises(BatcherStoppedError):
        await processor.submit(1)
