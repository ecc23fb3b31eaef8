"""What keeps a loop from turning."""

from __future__ import annotations

from dataclasses import replace

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Async, LoopBlock
from tests.profiling.diagnosis.kinds.claims import claims, culprits

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
