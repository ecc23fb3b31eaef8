"""AdvancedCache in memory: TTL, early refresh, stale values, negative values, tags, counts."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.cache import AdvancedCache, Settings
from perfwright.core import ConfigError, ManualClock
from tests.cache.loops import Counted, run


def cache_with(clock: ManualClock, **settings: Any) -> AdvancedCache:
    settings = {"jitter_ratio": 0.0, **settings}
    return AdvancedCache(clock=clock, settings=Settings(**settings), rng=random.Random(1))


async def settle() -> None:
    """Let the background work of a manual clock end."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_value_lives_as_long_as_its_ttl() -> None:
    clock = ManualClock()

    async def main() -> list[object]:
        cache = cache_with(clock)
        await cache.set("k", 1, ttl=10)
        clock.now_s = 9.99
        before = await cache.get("k")
        clock.now_s = 10.0
        return [before, await cache.get("k", "gone")]

    assert run(main()) == [1, "gone"]


def test_jitter_only_shortens_and_by_no_more_than_its_share() -> None:
    clock = ManualClock()

    async def main() -> list[int]:
        cache = cache_with(clock, jitter_ratio=0.2)
        await cache.set_many({str(n): n for n in range(200)}, ttl=100)
        left = []
        for clock.now_s in (79.9, 90.0, 100.0):
            left.append(len(await cache.get_many([str(n) for n in range(200)])))
        return left

    early, halfway, late = run(main())
    assert early == 200
    assert 60 < halfway < 140
    assert late == 0


def test_a_costly_value_is_refreshed_before_its_end_while_it_is_served() -> None:
    clock = ManualClock()
    factory = Counted()

    async def slow() -> object:
        clock.now_s += 2.0  # what it takes, on this clock
        return await factory()

    async def main() -> list[object]:
        cache = cache_with(clock)
        await cache.get_or_set("k", slow, ttl=100)
        factory.value = "newer"
        clock.now_s = 101.9  # stored at 2, ends at 102, and refreshing takes 2
        served = await cache.get_or_set("k", slow, ttl=100)
        await settle()
        return [served, await cache.get_or_set("k", slow, ttl=100), cache.get_stats()]

    served, later, stats = run(main())
    assert (served, later) == ("value", "newer")
    assert stats["early_refreshes"] == 1  # type: ignore[index]
    assert factory.calls == 2


def test_a_value_is_not_refreshed_in_the_first_half_of_its_life() -> None:
    clock = ManualClock()
    factory = Counted()

    async def slow() -> object:
        clock.now_s += 1_000.0
        return await factory()

    async def main() -> int:
        cache = cache_with(clock)
        await cache.get_or_set("k", slow, ttl=100)
        clock.now_s += 49.0
        await cache.get_or_set("k", slow, ttl=100)
        await settle()
        return factory.calls

    assert run(main()) == 1


def test_a_refresh_that_fails_leaves_the_value_and_is_counted() -> None:
    clock = ManualClock()
    factory = Counted()

    async def slow() -> object:
        clock.now_s += 2.0
        return await factory()

    async def main() -> tuple[object, int]:
        cache = cache_with(clock)
        await cache.get_or_set("k", slow, ttl=100)
        factory.error = ValueError("no")
        clock.now_s = 97.0
        clock.now_s = 99.0
        await cache.get_or_set("k", slow, ttl=100)
        await settle()
        return await cache.get("k"), cache.get_stats()["refresh_failures"]

    assert run(main()) == ("value", 1)


def test_a_value_past_its_end_is_served_while_one_refresh_runs() -> None:
    clock = ManualClock()
    factory = Counted()

    async def main() -> list[object]:
        cache = cache_with(clock, stale_s=30.0)
        await cache.get_or_set("k", factory, ttl=10)
        factory.value = "newer"
        clock.now_s = 35.0
        served = [await cache.get_or_set("k", factory, ttl=10) for _ in range(3)]
        await settle()
        return [*served, await cache.get_or_set("k", factory, ttl=10)]

    assert run(main()) == ["value"] * 3 + ["newer"]
    assert factory.calls == 2


def test_get_does_not_return_a_value_past_its_end() -> None:
    clock = ManualClock()

    async def main() -> object:
        cache = cache_with(clock, stale_s=30.0, fail_safe_s=30.0)
        await cache.set("k", 1, ttl=10)
        clock.now_s = 11.0
        return await cache.get("k")

    assert run(main()) is None


def test_a_stale_value_stands_in_for_a_failing_factory_for_a_while() -> None:
    clock = ManualClock()
    factory = Counted()

    async def main() -> list[object]:
        cache = cache_with(clock, fail_safe_s=60.0, fail_safe_retry_s=5.0)
        await cache.get_or_set("k", factory, ttl=10)
        factory.error = ValueError("no")
        clock.now_s = 20.0
        return [await cache.get_or_set("k", factory, ttl=10) for _ in range(10)]

    assert run(main()) == ["value"] * 10
    assert factory.calls == 2


def test_fail_safe_ends() -> None:
    clock = ManualClock()
    factory = Counted()

    async def main() -> None:
        cache = cache_with(clock, fail_safe_s=60.0, fail_safe_retry_s=5.0)
        await cache.get_or_set("k", factory, ttl=10)
        factory.error = ValueError("no")
        for clock.now_s in (20.0, 40.0, 69.0):
            assert await cache.get_or_set("k", factory, ttl=10) == "value"
        clock.now_s = 75.0
        with pytest.raises(ValueError, match="no"):
            await cache.get_or_set("k", factory, ttl=10)

    run(main())


@pytest.mark.parametrize(("negative_ttl_s", "calls"), [(0.0, 3), (5.0, 1)])
def test_none_is_kept_only_if_asked_for(negative_ttl_s: float, calls: int) -> None:
    factory = Counted(value=None)

    async def main() -> list[object]:
        cache = cache_with(ManualClock(), negative_ttl_s=negative_ttl_s)
        return [await cache.get_or_set("k", factory, ttl=60) for _ in range(3)]

    assert run(main()) == [None] * 3
    assert factory.calls == calls


def test_none_is_kept_for_its_own_shorter_time() -> None:
    clock = ManualClock()
    factory = Counted(value=None)

    async def main() -> int:
        cache = cache_with(clock, negative_ttl_s=5.0)
        await cache.get_or_set("k", factory, ttl=60)
        clock.now_s = 5.0
        await cache.get_or_set("k", factory, ttl=60)
        return factory.calls

    assert run(main()) == 2


def test_an_invalidated_tag_takes_all_its_values_and_no_others() -> None:
    async def main() -> dict[str, object]:
        cache = AdvancedCache()
        await cache.set("a", 1, tags=["x"])
        await cache.set("b", 2, tags=["x", "y"])
        await cache.set("c", 3, tags=["y"])
        await cache.set("d", 4)
        await cache.invalidate_tag("x")
        return await cache.get_many(list("abcd"))

    assert run(main()) == {"c": 3, "d": 4}


def test_a_value_computed_from_before_an_invalidation_is_not_kept() -> None:
    async def main() -> object:
        cache = AdvancedCache()
        gate = asyncio.Event()

        async def factory() -> str:
            await gate.wait()
            return "old"

        task = asyncio.create_task(cache.get_or_set("k", factory, tags=["x"]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await cache.invalidate_tag("x")
        gate.set()
        assert await task == "old"  # asked before, so it is theirs
        return await cache.get("k")

    assert run(main()) is None


def test_a_caller_after_an_invalidation_does_not_join_the_work_from_before() -> None:
    async def main() -> list[object]:
        cache = AdvancedCache()
        gate = asyncio.Event()

        async def old() -> str:
            await gate.wait()
            return "old"

        task = asyncio.create_task(cache.get_or_set("k", old, tags=["x"]))
        await asyncio.sleep(0.01)
        await cache.invalidate_tag("x")
        after = await cache.get_or_set("k", lambda: "new", tags=["x"])
        gate.set()
        return [await task, after, await cache.get("k")]

    assert run(main()) == ["old", "new", "new"]


@pytest.mark.parametrize("write", ["set", "delete", "clear"])
def test_a_write_during_a_computation_wins(write: str) -> None:
    async def main() -> object:
        cache = AdvancedCache()
        gate = asyncio.Event()

        async def factory() -> str:
            await gate.wait()
            return "old"

        task = asyncio.create_task(cache.get_or_set("k", factory))
        await asyncio.sleep(0.01)
        arguments = {"set": ("k", "new"), "delete": ("k",), "clear": ()}[write]
        await getattr(cache, write)(*arguments)
        gate.set()
        assert await task == "old"
        return await cache.get("k")

    assert run(main()) == ("new" if write == "set" else None)


def test_rates_are_shares_of_all_lookups() -> None:
    async def main() -> dict[str, Any]:
        cache = AdvancedCache()
        await cache.get("absent")
        await cache.set("k", 1)
        for _ in range(3):
            await cache.get("k")
        return cache.get_stats()

    stats = run(main())
    assert stats["lookups"] == 4
    assert (stats["l1_hit_rate"], stats["l2_hit_rate"], stats["overall_hit_rate"]) == (
        0.75,
        0,
        0.75,
    )


def test_rates_are_zero_before_the_first_lookup() -> None:
    assert AdvancedCache().get_stats()["overall_hit_rate"] == 0.0


def test_memory_is_bounded_by_bytes() -> None:
    async def main() -> tuple[int, int]:
        cache = AdvancedCache(local_max_bytes=100_000)
        for number in range(100):
            await cache.set(str(number), "x" * 10_000)
        stats = cache.get_stats()
        return stats["l1_bytes"], stats["evictions"]

    size_bytes, evictions = run(main())
    assert size_bytes <= 100_000
    assert evictions >= 89


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf")])
def test_a_ttl_that_makes_no_sense_is_refused(ttl: float) -> None:
    async def main() -> None:
        with pytest.raises(ConfigError, match="ttl"):
            await AdvancedCache().set("k", 1, ttl=ttl)

    run(main())


@pytest.mark.parametrize(
    "settings", [{"default_ttl_s": 0.0}, {"jitter_ratio": 1.0}, {"stale_s": float("nan")}]
)
def test_a_setting_that_makes_no_sense_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        Settings(**settings)


def test_every_metric_has_a_name_and_a_number() -> None:
    metrics = list(AdvancedCache().metrics())
    assert {"cache_lookups", "cache_entries", "cache_stampedes_avoided"} <= {
        m.name for m in metrics
    }
    assert len({(m.name, *m.labels.items()) for m in metrics}) == len(metrics)


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from("abc"), st.integers(0, 9)),
        st.tuples(st.just("tagged"), st.sampled_from("abc"), st.integers(0, 9)),
        st.tuples(st.just("delete"), st.sampled_from("abc"), st.none()),
        st.tuples(st.just("invalidate"), st.just("x"), st.none()),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, 8)),
    ),
    max_size=30,
)


@given(_steps)
def test_a_large_enough_cache_is_a_dict_with_ends_and_tags(
    steps: list[tuple[str, str, Any]],
) -> None:
    clock = ManualClock()
    model: dict[str, tuple[int, float, bool]] = {}

    async def main() -> None:
        cache = cache_with(clock)
        for what, name, argument in steps:
            if what in {"set", "tagged"}:
                await cache.set(name, argument, ttl=10, tags=["x"] if what == "tagged" else [])
                model[name] = (argument, clock.now_s + 10, what == "tagged")
            elif what == "delete":
                await cache.delete(name)
                model.pop(name, None)
            elif what == "invalidate":
                await cache.invalidate_tag(name)
                for key in [key for key, (_, _, tagged) in model.items() if tagged]:
                    del model[key]
            else:
                clock.now_s += argument
            expected = {key: value for key, (value, end, _) in model.items() if clock.now_s < end}
            assert await cache.get_many(list("abc")) == expected

    run(main())
