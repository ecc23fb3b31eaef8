"""@cached: keys that a person can read, and that no two calls share by accident."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.cache import AdvancedCache, cached
from perfwright.core import ConfigError
from tests.cache.loops import run


class Colour(Enum):
    RED = 1


@dataclass(frozen=True)
class Point:
    x: int


cache = AdvancedCache()


@cached(cache)
async def spelt(number: int, *rest: object, name: object = "x", **more: object) -> int:
    return number


def test_a_key_names_function_and_arguments() -> None:
    key = spelt.key_of(7, name=Colour.RED)
    assert key == f"{__name__}.spelt(number=7, name=Colour.RED)"


def test_equal_calls_have_one_key_however_they_are_written() -> None:
    assert spelt.key_of(number=7) == spelt.key_of(7) == spelt.key_of(7, name="x")


def test_sets_and_dictionaries_are_spelt_in_one_order() -> None:
    assert spelt.key_of(1, name={"b": 1, "a": 2}) == spelt.key_of(1, name={"a": 2, "b": 1})
    assert spelt.key_of(1, name={"b", "a"}) == spelt.key_of(1, name={"a", "b"})


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_different_texts_have_different_keys(one: tuple[str, str], two: tuple[str, str]) -> None:
    same = spelt.key_of(1, *one) == spelt.key_of(1, *two)
    assert same == (one == two)
    by_template = by_parts.key_of(*one) == by_parts.key_of(*two)
    assert by_template == (one == two)


@cached(cache, key="{left}:{right}")
def by_parts(left: str, right: str) -> str:
    return left + right


def test_a_long_key_stays_readable_and_distinct() -> None:
    one, two = spelt.key_of(1, "x" * 5_000 + "a"), spelt.key_of(1, "x" * 5_000 + "b")
    assert one != two
    assert len(one) == 200
    assert one.startswith(f"{__name__}.spelt(number=1")


def test_an_argument_without_a_stable_spelling_is_refused() -> None:
    with pytest.raises(ConfigError, match="stable spelling"):
        spelt.key_of(1, object())


def test_a_template_that_does_not_fit_names_the_function() -> None:
    @cached(cache, key="user:{user}")
    async def fetch(user_id: int) -> int:
        return user_id

    with pytest.raises(ConfigError, match=r"fetch\(user_id"):
        fetch.key_of(1)


def test_results_are_kept_by_key_and_tag() -> None:
    calls: list[int] = []

    async def main() -> list[int]:
        store = AdvancedCache()

        @store.cached(ttl=60, key="user:{user_id}", tags=["users", "user:{user_id}"])
        async def fetch(user_id: int) -> int:
            calls.append(user_id)
            return user_id * 10

        results = [await fetch(1), await fetch(1), await fetch(2)]
        await store.invalidate_tag("user:1")
        results += [await fetch(1), await fetch(2)]
        await store.delete(fetch.key_of(2))
        return [*results, await fetch(2)]

    assert run(main()) == [10, 10, 20, 10, 20, 20]
    assert calls == [1, 2, 1, 2]


def test_the_cache_may_be_found_at_each_call() -> None:
    found: list[AdvancedCache] = []

    @cached(lambda: found[0])
    def double(number: int) -> int:
        return 2 * number

    async def main() -> int:
        found.append(AdvancedCache())
        await double(4)
        return await double(4)

    assert run(main()) == 8
    assert found[0].get_stats()["l1_hits"] == 1


def test_callers_of_a_decorated_function_share_one_call() -> None:
    calls: list[int] = []

    async def main() -> list[int]:
        store = AdvancedCache()

        @store.cached()
        async def slow(point: Point) -> int:
            calls.append(point.x)
            await asyncio.sleep(0.01)
            return point.x

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_awaited(slow, Point(3))) for _ in range(50)]
        return [task.result() for task in tasks]

    assert run(main()) == [3] * 50
    assert calls == [3]


async def _awaited(function: object, argument: Point) -> int:
    assert callable(function)
    result: int = await function(argument)
    return result
