"""What keeps a loop from turning."""

from __future__ import annotations

from dataclasses import replace

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Async, LoopBlock
from tests.profiling.diagnosis.kinds.claims import claims, culprits, kinds_in

RULE = "blocking_in_async"

TURN = ("asyncio/base_events.py", "_run_once")


def test_a_helper_that_blocks_below_a_coroutine_is_blamed() -> None:
    text = """
        import time
        def retry():
            time.sleep(1)
        async def fetch(url):
            retry()
    """
    assert culprits(RULE, text, (TURN, "    retry()", "time.sleep"), state="waiting")


def test_blocking_in_a_thread_of_a_pool_is_no_fault() -> None:
    text = """
        import time
        def work():
            time.sleep(1)
    """
    pool = ("concurrent/futures/thread.py", "run")
    assert culprits(RULE, text, (pool, "time.sleep"), state="waiting") == []


def test_a_loop_that_waits_for_events_is_not_blocked() -> None:
    text = """
        import asyncio
        def main():
            asyncio.run(serve())
    """
    path = ("asyncio.run", TURN, ("selectors.py", "select"))
    assert culprits(RULE, text, path, state="waiting") == []


def test_computing_for_long_is_said_with_less_certainty() -> None:
    text = "async def report(rows):\n    return sorted(rows)\n"
    block = LoopBlock(
        frames=(frame_of(text, "sorted"),), count=1, total_s=2.0, longest_s=2.0, on_cpu_ratio=0.9
    )
    found = claims(RULE, replace(example(text), wall_s=4.0, asyncio=Async(blocks=(block,))))
    assert [claim.confidence for claim in found] == [0.5]


def test_a_password_hash_on_the_loop_is_found_though_it_computes() -> None:
    text = "import hashlib\nasync def login(word):\n    return hashlib.pbkdf2_hmac('sha', word)\n"
    block = LoopBlock(
        frames=(frame_of(text, "return"),), count=9, total_s=2.0, longest_s=0.02, on_cpu_ratio=0.9
    )
    profile = replace(example(text), wall_s=8.0, asyncio=Async(blocks=(block,)))
    assert kinds_in(profile) == {"login": "blocking-in-async"}


def test_short_computing_between_awaits_is_what_a_loop_is_for() -> None:
    text = "async def page(rows):\n    return sorted(rows)\n"
    block = LoopBlock(
        frames=(frame_of(text, "return"),), count=999, total_s=2.0, longest_s=0.02, on_cpu_ratio=0.9
    )
    profile = replace(example(text), wall_s=8.0, asyncio=Async(blocks=(block,)))
    assert kinds_in(profile) == {}


def test_a_run_that_took_no_time_was_not_blocked() -> None:
    text = "async def page(rows):\n    return sorted(rows)\n"
    block = LoopBlock(
        frames=(frame_of(text, "return"),), count=1, total_s=0.0, longest_s=0.0, on_cpu_ratio=0.0
    )
    assert claims(RULE, replace(example(text), wall_s=0.0, asyncio=Async(blocks=(block,)))) == []
