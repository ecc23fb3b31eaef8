from __future__ import annotations

import asyncio

import pytest

from perfwright.batching import Priority, batched
from tests.batching.virtual import in_virtual_time, run


@in_virtual_time
async def test_items_of_a_decorated_function_share_a_batch() -> None:
    sizes: list[int] = []

    @batched(max_batch_size=10, max_wait_time=0.1)
    async def shout(items: list[str]) -> list[str]:
        sizes.append(len(items))
        return [item.upper() for item in items]

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(shout.submit(item, Priority.HIGH)) for item in "abc"]
    assert [task.result() for task in tasks] == ["A", "B", "C"]
    assert sizes == [3]


def test_a_decorated_function_needs_no_options() -> None:
    @batched
    async def shout(items: list[str]) -> list[str]:
        """Say it louder."""
        return [item.upper() for item in items]

    assert run(shout.submit("a")) == "A"
    assert run(shout(["b", "c"])) == ["B", "C"]
    assert (shout.__name__, shout.__doc__) == ("shout", "Say it louder.")


def test_a_method_cannot_be_decorated() -> None:
    with pytest.raises(RuntimeError) as caught:

        class Shop:
            @batched  # type: ignore[arg-type]  # the mistake
            async def prices(self, items: list[str]) -> list[str]:
                return items

    assert "BatchProcessor(self.prices" in str(caught.value.__cause__)


@in_virtual_time
async def test_a_decorated_function_can_be_stopped_and_started() -> None:
    @batched
    async def same(items: list[int]) -> list[int]:
        return items

    await same.submit(1)
    await same.stop()
    await same.start()
    assert await same.submit(2) == 2
    assert same.get_stats()["completed"] == 2
