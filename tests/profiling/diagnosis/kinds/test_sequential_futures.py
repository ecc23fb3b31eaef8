"""Futures that are asked for one at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from perfwright.profiling.diagnosis.claim import Claim
from perfwright.profiling.diagnosis.examples import example
from tests.profiling.diagnosis.kinds.claims import claims

RESULT = ("concurrent/futures/_base.py", "result")
WORKER = ("concurrent/futures/thread.py", "_worker")


def found(
    text: str, waits_at: str, *, work: Literal["waiting", "running"] = "waiting"
) -> list[Claim]:
    """What is claimed of a thread that stood at a line while a pool's thread was at `fetch`."""
    text += "\n    def fetch(url):\n        return opened(url)\n"
    waiter = example(text, (waits_at, RESULT), state="waiting")
    worker = example(text, (WORKER, "return opened(url)"), state=work).stacks[0]
    stacks = (*waiter.stacks, replace(worker, thread="pool_0"))
    return claims("sequential_futures", replace(waiter, stacks=stacks))


LOOP = """
    def load(pool, urls):
        for url in urls:
            future = pool.submit(fetch, url)
            keep(future.result())
"""


def test_a_future_asked_for_in_the_turn_that_made_it_is_found() -> None:
    assert [c.function.name for c in found(LOOP, "future.result()")] == ["load"]


def test_a_future_that_gets_no_name_is_found_as_well() -> None:
    text = """
    def load(pool, urls):
        return [pool.submit(fetch, url).result() for url in urls]
"""
    assert [c.function.name for c in found(text, ".result()")] == ["load"]


def test_a_thread_that_is_joined_before_the_next_begins_is_found() -> None:
    text = """
    def load(urls):
        for url in urls:
            thread = Thread(target=fetch, args=(url,))
            thread.start()
            thread.join()
"""
    assert [c.function.name for c in found(text, "thread.join()")] == ["load"]


def test_work_that_computes_gains_nothing_in_threads() -> None:
    assert found(LOOP, "future.result()", work="running") == []


def test_futures_that_are_all_handed_in_first_are_no_fault() -> None:
    text = """
    def load(pool, urls):
        futures = [pool.submit(fetch, url) for url in urls]
        for future in futures:
            keep(future.result())
"""
    assert found(text, "future.result()") == []


def test_a_piece_that_needs_the_last_one_is_no_fault() -> None:
    text = """
    def load(pool, urls):
        page = None
        for url in urls:
            future = pool.submit(fetch, url, page)
            page = future.result()
"""
    assert found(text, "future.result()") == []


def test_the_first_answer_that_will_do_is_asked_for_in_turn() -> None:
    text = """
    def load(pool, urls):
        for url in urls:
            answer = pool.submit(fetch, url).result()
            if answer.ok:
                return answer
"""
    assert found(text, ".result()") == []


def test_a_pool_of_one_keeps_an_order_on_purpose() -> None:
    text = """
    def load(urls):
        with ThreadPoolExecutor(max_workers=1) as pool:
            for url in urls:
                keep(pool.submit(fetch, url).result())
"""
    assert found(text, ".result()") == []
