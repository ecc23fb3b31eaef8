"""Results of tools: kept for those that were declared, by their arguments alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perfwright.cache import AdvancedCache
from perfwright.core import ConfigError, ManualClock
from perfwright.llm.caching import ToolMemo
from tests.cache.loops import all_of, run


def test_a_declared_tool_runs_once_for_equal_arguments() -> None:
    calls: list[tuple[str, int]] = []

    async def main() -> None:
        memo = ToolMemo(AdvancedCache())

        @memo.tool(ttl_s=60)
        async def search(query: str, limit: int = 10) -> list[str]:
            calls.append((query, limit))
            await asyncio.sleep(0.001)
            return [query] * limit

        first: list[object] = [
            *await all_of(search("a"), search(query="a"), search("a", 10), search("a", limit=9))
        ]
        assert first == [["a"] * 10] * 3 + [["a"] * 9]
        assert await search("a") == ["a"] * 10
        assert memo.get_stats()["saved"] == 3

    run(main())
    assert calls == [("a", 10), ("a", 9)]


def test_arguments_are_taken_as_a_model_writes_them() -> None:
    runs: list[int] = []

    async def work() -> object:
        runs.append(1)
        return None

    async def main() -> None:
        memo = ToolMemo(AdvancedCache())
        memo.declare("t")
        for arguments in ('{"a": 1, "b": 2}', '{"b":2,"a":1}', {"b": 2, "a": 1}):
            assert await memo.call("t", arguments, run=work) is None  # None is a result, too

    run(main())
    assert runs == [1]


@pytest.mark.parametrize(
    ("name", "arguments", "count"),
    [("t", {"a": object()}, "unkeyable"), ("t", "{broken", "unkeyable"), ("u", {}, "undeclared")],
)
def test_what_cannot_be_kept_runs_each_time(name: str, arguments: Any, count: str) -> None:
    runs: list[int] = []

    async def work() -> int:
        runs.append(1)
        return len(runs)

    async def main() -> dict[str, Any]:
        memo = ToolMemo(AdvancedCache())
        memo.declare("t")
        assert [await memo.call(name, arguments, run=work) for _ in range(2)] == [1, 2]
        return memo.get_stats()

    stats = run(main())
    assert (stats[count], stats["saved"]) == (2, 0)


def test_errors_are_not_kept() -> None:
    runs: list[int] = []

    async def work() -> int:
        runs.append(1)
        if len(runs) == 1:
            raise OSError("first")
        return len(runs)

    async def main() -> None:
        memo = ToolMemo(AdvancedCache())
        memo.declare("t")
        with pytest.raises(OSError, match="first"):
            await memo.call("t", {}, run=work)
        assert await memo.call("t", {}, run=work) == 2

    run(main())


def test_results_expire() -> None:
    clock = ManualClock()
    runs: list[int] = []

    async def work() -> int:
        runs.append(1)
        return len(runs)

    async def main() -> None:
        memo = ToolMemo(AdvancedCache(clock=clock))
        memo.declare("t", ttl_s=5)
        assert await memo.call("t", {}, run=work) == 1
        clock.now_s = 6.0
        assert await memo.call("t", {}, run=work) == 2

    run(main())


def test_a_tool_is_declared_once() -> None:
    memo = ToolMemo(AdvancedCache())
    memo.declare("t")
    with pytest.raises(ConfigError, match="declared already"):
        memo.declare("t")
