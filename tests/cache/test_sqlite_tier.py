"""AdvancedCache over an SQLite file: sharing, single flight, coherence, no blocked loop."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from perfwright.cache import AdvancedCache, Settings, SqliteTier, sqlite_rows
from tests.cache.loops import Counted, all_of, assert_soon, run


@asynccontextmanager
async def two(path: Path, **options: Any) -> AsyncIterator[tuple[AdvancedCache, AdvancedCache]]:
    """Two caches on one file, as two processes have them."""
    async with (
        AdvancedCache(tier=SqliteTier(path), **options) as a,
        AdvancedCache(tier=SqliteTier(path), **options) as b,
    ):
        yield a, b


def test_a_value_is_shared_through_the_file(tmp_path: Path) -> None:
    async def main() -> list[object]:
        async with two(tmp_path / "cache.db") as (a, b):
            await a.set("k", (1, "two"))
            return [await b.get("k"), await b.get("k"), b.get_stats()["l1_hits"]]

    assert run(main()) == [(1, "two"), (1, "two"), 1]


def test_a_write_elsewhere_ends_the_old_value(tmp_path: Path) -> None:
    async def main() -> None:
        async with two(tmp_path / "cache.db") as (a, b):
            for number in range(100):
                await a.set("k", number)

                async def is_seen(number: int = number) -> bool:
                    return bool(await b.get("k") == number)

                await assert_soon(is_seen)

    run(main())


def test_deletes_tags_and_clearing_reach_the_other_process(tmp_path: Path) -> None:
    async def main() -> None:
        async with two(tmp_path / "cache.db") as (a, b):
            for change in ("delete", "invalidate_tag", "clear"):
                await a.set("k", change, tags=["x"])
                assert await b.get("k") == change
                await {
                    "delete": lambda: a.delete("k"),
                    "invalidate_tag": lambda: a.invalidate_tag("x"),
                    "clear": a.clear,
                }[change]()

                async def is_gone() -> bool:
                    return await b.get("k") is None

                await assert_soon(is_gone)

    run(main())


def test_one_call_for_two_processes_and_the_others_are_woken(tmp_path: Path) -> None:
    factory = Counted(takes_s=0.1)

    async def main() -> list[object]:
        async with two(tmp_path / "cache.db") as (a, b):
            calls = (cache.get_or_set("k", factory) for cache in (a, b) for _ in range(50))
            return list(await all_of(*calls))

    assert run(main()) == ["value"] * 100
    assert factory.calls == 1


def test_an_ended_value_is_a_miss_and_its_row_goes(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"

    async def main() -> object:
        async with two(path) as (a, b):
            await a.set("k", 1, ttl=0.05)
            await asyncio.sleep(0.1)
            value = await b.get("k")
            await a.set("other", 2)
            return value

    assert run(main()) is None
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT key FROM value").fetchall() == [("other",)]
    connection.close()


def test_a_stale_value_stands_in_for_a_failing_factory(tmp_path: Path) -> None:
    factory = Counted(error=ValueError("no"))

    async def main() -> object:
        async with two(tmp_path / "cache.db", settings=Settings(fail_safe_s=60.0)) as (a, b):
            await a.set("k", "old", ttl=0.05)
            await asyncio.sleep(0.1)
            return [await b.get_or_set("k", factory) for _ in range(3)]

    assert run(main()) == ["old"] * 3
    assert factory.calls == 1


def test_a_locked_file_blocks_neither_the_loop_nor_the_caller_for_long(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"

    async def main() -> tuple[object, float, float]:
        tier = SqliteTier(path, operation_timeout_s=0.3)
        async with AdvancedCache(tier=tier) as cache:
            await cache.set("first", 1)
            blocker = sqlite3.connect(path, isolation_level=None)
            blocker.execute("BEGIN EXCLUSIVE")
            longest, ended = 0.0, False

            async def watch() -> None:
                nonlocal longest
                while not ended:
                    before = time.perf_counter()
                    await asyncio.sleep(0.01)
                    longest = max(longest, time.perf_counter() - before)

            watching = asyncio.create_task(watch())
            before = time.perf_counter()
            value = await cache.get_or_set("k", Counted(7))
            took = time.perf_counter() - before
            ended = True
            await watching
            blocker.execute("ROLLBACK")
            blocker.close()
            return value, took, longest

    value, took, longest = run(main())
    assert value == 7
    assert took < 2.0
    assert longest < 0.2


def test_a_file_that_is_no_database_is_a_tier_out_of_order(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 50)

    async def main() -> object:
        async with AdvancedCache(tier=SqliteTier(path)) as cache:
            return await cache.get_or_set("k", lambda: 7)

    assert run(main()) == 7


def test_a_process_that_does_not_read_is_expelled_and_finds_out(tmp_path: Path) -> None:
    """One process's loop is blocked until its buffer is full; it may have missed any message."""
    path = tmp_path / "cache.db"

    async def main() -> tuple[object, int]:
        async with two(path) as (a, b):
            await a.set("k", "old")
            assert await b.get("k") == "old"
            b._tier._sockets._own.setsockopt(1, 8, 2_304)  # type: ignore[union-attr]  # SO_RCVBUF

            def flood() -> None:  # in a's worker, while the loop that both share is blocked
                message = a._tier._bus.message("c", {"x" * 200: b""})  # type: ignore[union-attr]
                for _ in range(3_000):
                    a._tier._sockets.send(message[:-1], instead=b"")  # type: ignore[union-attr]

            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(a._tier._worker, flood)  # type: ignore[union-attr]
            time.sleep(0.5)  # noqa: ASYNC251  the blocked loop is what is tested
            await future
            await asyncio.sleep(0.05)
            await a.set("k", "new")
            await asyncio.sleep(0.05)
            return await b.get("k"), b._tier._sockets.expelled  # type: ignore[union-attr]

    value, expelled = run(main())
    assert value == "new"
    assert expelled >= 1


WORKER = textwrap.dedent(
    """
    import asyncio, json, sys
    from perfwright.cache import AdvancedCache, SqliteTier

    async def main():
        calls = 0
        async def factory():
            nonlocal calls
            calls += 1
            await asyncio.sleep(0.1)
            return 7
        # A machine that stalls for seconds is another fault: then each process computes alone.
        tier = SqliteTier(sys.argv[1], operation_timeout_s=20.0, lease_s=60.0)
        async with AdvancedCache(tier=tier) as cache:
            print("ready", flush=True)
            sys.stdin.readline()
            tasks = [asyncio.create_task(cache.get_or_set("k", factory)) for _ in range(50)]
            values = {await task for task in tasks}
        print(json.dumps([calls, list(values)]), flush=True)

    asyncio.run(main())
    """
)


@pytest.mark.parametrize("processes", [3])
def test_several_processes_call_the_factory_once(tmp_path: Path, processes: int) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path / "cache.db")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    results = [json.loads(worker.communicate(timeout=30)[0]) for worker in workers]
    assert [values for _, values in results] == [[7]] * processes
    assert sum(calls for calls, _ in results) == 1


def test_a_process_that_opens_the_file_waits_for_one_that_is_making_it(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as first:
        first.execute("BEGIN IMMEDIATE")
        first.execute("CREATE TABLE value (key)")
        Timer(0.1, lambda: first.execute("ROLLBACK")).start()
        with closing(sqlite_rows.connect(path, timeout_s=10.0)) as second:
            assert second.execute("PRAGMA journal_mode").fetchone() == ("wal",)
