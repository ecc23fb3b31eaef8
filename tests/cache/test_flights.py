"""Single flight: one call, owned by nobody, ended when nobody waits."""

from __future__ import annotations

import asyncio

import pytest

from perfwright.cache import AdvancedCache
from perfwright.cache.flights import Flights
from perfwright.core import CacheClosedError, FactoryCancelledError, ReentrantFactoryError
from tests.cache.loops import Counted, all_of, run


def test_a_thousand_cold_callers_share_one_call() -> None:
    factory = Counted(takes_s=0.01)

    async def main() -> list[object]:
        cache = AdvancedCache()
        calls = (cache.get_or_set(key="k", factory=factory, ttl=60) for _ in range(1_000))
        return list(await all_of(*calls))

    assert run(main()) == ["value"] * 1_000
    assert factory.calls == 1


def test_the_others_are_served_when_the_first_caller_is_cancelled() -> None:
    factory = Counted(takes_s=0.05)

    async def main() -> list[object]:
        cache = AdvancedCache()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(cache.get_or_set(key="k", factory=factory)) for _ in range(100)
            ]
            await asyncio.sleep(0.01)
            tasks[0].cancel()
        assert tasks[0].cancelled()
        return [task.result() for task in tasks[1:]]

    assert run(main()) == ["value"] * 99
    assert factory.calls == 1


def test_work_is_given_up_when_every_caller_is_cancelled() -> None:
    ended: list[str] = []

    async def factory() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return "never"

    async def main() -> None:
        cache = AdvancedCache()
        tasks = [asyncio.create_task(cache.get_or_set("k", factory)) for _ in range(3)]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.sleep(0)

    run(main())
    assert ended == ["cancelled"]


def test_a_caller_that_comes_while_work_is_being_given_up_starts_anew() -> None:
    counted = Counted(takes_s=0.5)

    async def main() -> object:
        cache, began = AdvancedCache(), asyncio.Event()

        async def factory() -> object:
            began.set()
            return await counted()

        first = asyncio.create_task(cache.get_or_set("k", factory))
        await began.wait()
        first.cancel()
        await asyncio.sleep(0)  # the flight is told, but has not ended
        return await cache.get_or_set("k", factory)

    assert run(main()) == "value"
    assert counted.calls == 2


def test_a_failing_factory_is_called_once_and_everybody_is_told() -> None:
    factory = Counted(takes_s=0.01, error=ValueError("no"))

    async def main() -> list[object]:
        cache = AdvancedCache()
        return list(await all_of(*(cache.get_or_set("k", factory) for _ in range(100))))

    results = run(main())
    assert [str(error) for error in results] == ["no"] * 100
    assert factory.calls == 1


def test_an_error_is_not_kept() -> None:
    factory = Counted(error=ValueError("no"))

    async def main() -> object:
        cache = AdvancedCache()
        with pytest.raises(ValueError, match="no"):
            await cache.get_or_set("k", factory)
        factory.error = None
        return await cache.get_or_set("k", factory)

    assert run(main()) == "value"


def test_a_factory_that_is_cancelled_from_within_is_an_error_and_not_a_cancellation() -> None:
    async def factory() -> None:
        raise asyncio.CancelledError

    async def main() -> None:
        with pytest.raises(FactoryCancelledError, match="'k'"):
            await AdvancedCache().get_or_set("k", factory)

    run(main())


def test_closing_the_cache_under_a_factory_is_told_as_that() -> None:
    async def main() -> None:
        cache = AdvancedCache()
        begun = asyncio.Event()

        async def factory() -> None:
            begun.set()
            await asyncio.sleep(60)

        async def caller() -> None:
            with pytest.raises(CacheClosedError, match="'k'"):
                await cache.get_or_set("k", factory)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(caller())
            await begun.wait()
            await cache.aclose()

    run(main())


def test_a_factory_that_asks_for_its_own_key_is_told_so_instead_of_waiting_for_itself() -> None:
    async def main() -> None:
        cache = AdvancedCache()

        async def outer() -> object:
            return await cache.get_or_set("b", lambda: cache.get_or_set("a", outer))

        with pytest.raises(ReentrantFactoryError, match="'a'"):
            await cache.get_or_set("a", outer)

    run(main())


def test_a_task_left_behind_by_a_factory_may_ask_for_its_key_later() -> None:
    async def main() -> object:
        cache = AdvancedCache()
        later: list[asyncio.Task[object]] = []

        async def ask() -> object:
            await asyncio.sleep(0.01)
            return await cache.get_or_set("k", lambda: "again")

        async def factory() -> str:
            later.append(asyncio.create_task(ask()))
            return "first"

        await cache.get_or_set("k", factory)
        return await later[0]

    assert run(main()) == "first"


def test_closing_waits_until_the_work_is_gone() -> None:
    async def main() -> tuple[bool, bool]:
        flights: Flights[None] = Flights()
        task = flights.run(asyncio.sleep(60))
        await asyncio.sleep(0)
        await flights.aclose()
        return task.done(), task.cancelled()

    assert run(main()) == (True, True)


def test_a_synchronous_factory_is_called_once_per_ttl() -> None:
    calls: list[int] = []

    async def main() -> list[object]:
        cache = AdvancedCache()

        def factory() -> int:
            calls.append(1)
            return 7

        return [await cache.get_or_set("k", factory) for _ in range(3)]

    assert run(main()) == [7, 7, 7]
    assert len(calls) == 1
