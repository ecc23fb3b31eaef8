"""What keeps a loop from turning."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Async, LoopBlock
from tests.profiling.diagnosis.kinds.claims import claims, culprits, kinds_in

RULE = "blocking_in_async"

TURN = ("asyncio/base_events.py", "_run_once")


LAYERS = """
    import time
    def retry():
        time.sleep(1)
    def again():
        retry()
    async def fetch(url):
        again()
    async def store(url):
        again()  # once more
"""


def test_the_coroutine_that_calls_what_blocks_is_blamed() -> None:
    path = (TURN, "    again()", "    retry()", "time.sleep")
    found = claims(RULE, example(LAYERS, path, state="waiting"))
    assert [claim.function.name for claim in found] == ["fetch"]
    assert "a call in `retry`, called from here, blocks" in found[0].evidence


def test_what_all_ways_share_is_blamed_where_there_are_several() -> None:
    one = (TURN, "    again()", "    retry()", "time.sleep")
    other = (TURN, "# once more", "    retry()", "time.sleep")
    assert culprits(RULE, LAYERS, one, other, state="waiting") == ["again"]


def test_a_callback_without_a_coroutine_is_blamed_itself() -> None:
    path = (TURN, "    retry()", "time.sleep")
    assert culprits(RULE, LAYERS, path, state="waiting") == ["retry"]


def test_a_busy_machine_does_not_make_computing_a_blocking_call() -> None:
    text = "async def seal(rows):\n    return digest_of(rows)\n"
    frame = frame_of(text, "digest_of")
    block = LoopBlock(frames=(frame,), count=9, total_s=2.0, longest_s=0.02, on_cpu_ratio=0.2)
    running = example(text, (TURN, "digest_of"))
    standing = replace(running.stacks[0], state="waiting", wall_s=0.5, cpu_s=0.0)
    profile = replace(
        running, stacks=(*running.stacks, standing), wall_s=8.0, asyncio=Async(blocks=(block,))
    )
    assert claims(RULE, profile) == []


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


@pytest.mark.parametrize(
    ("count", "longest_s", "kinds"),
    [(1, 0.06, []), (1, 0.2, ["page"]), (9, 0.06, ["page"]), (9, 0.02, [])],
)
def test_computing_once_has_to_take_longer_than_computing_again_and_again(
    count: int, longest_s: float, kinds: list[str]
) -> None:
    text = "async def page(rows):\n    return sorted(rows)\n"
    block = LoopBlock(
        frames=(frame_of(text, "return"),),
        count=count,
        total_s=1.0,
        longest_s=longest_s,
        on_cpu_ratio=1.0,
    )
    profile = replace(example(text), wall_s=8.0, asyncio=Async(blocks=(block,)))
    assert [claim.function.name for claim in claims(RULE, profile)] == kinds


def test_importing_a_module_on_a_loop_is_no_fault_of_the_loop() -> None:
    text = "TABLE = built()\n"
    block = LoopBlock(
        frames=(frame_of(text, "TABLE"),), count=1, total_s=1.0, longest_s=1.0, on_cpu_ratio=1.0
    )
    assert claims(RULE, replace(example(text), wall_s=4.0, asyncio=Async(blocks=(block,)))) == []
