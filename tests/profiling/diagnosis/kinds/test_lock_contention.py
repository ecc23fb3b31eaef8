"""Waiting for a lock."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Async, AwaitSequence, AwaitStep, Frame, Profile
from tests.profiling.diagnosis.kinds.claims import causes, claims, culprits, kinds_in

RULE = "lock_contention"


def test_the_one_that_works_under_the_lock_is_blamed_not_the_one_that_waits() -> None:
    text = """
        class Store:
            def save(self, row):
                with self.lock:
                    self.rows.append(encode(row))
            def count(self):
                with self.lock:
                    return len(self.rows)
    """
    waiting = example(text, ("def count", "with self.lock"), state="waiting")
    running = example(text, ("encode(row)",), ("encode(row)",))
    in_count = replace(waiting.stacks[0], frames=(lock_of_count(text),))
    both = replace(running, stacks=(*running.stacks, in_count))
    assert [c.function.name for c in claims(RULE, both)] == ["Store.save"]


def lock_of_count(text: str) -> Frame:
    """The frame at the second `with`, that of `count`."""
    frame = frame_of(text, "return len(self.rows)")
    return Frame(frame.function, frame.line - 1)


def test_a_lock_is_known_by_what_made_it() -> None:
    text = """
        import threading
        DOOR = threading.Lock()
        def enter():
            with DOOR:
                work()
    """
    assert culprits(RULE, text, ("with DOOR",), state="waiting") == ["enter"]


def test_a_file_is_no_lock() -> None:
    text = "def load(path):\n    with open(path) as f:\n        return f.read()\n"
    assert culprits(RULE, text, ("with open",), state="waiting") == []


def test_a_lock_taken_by_name_and_given_back_is_held_in_between() -> None:
    text = """
        class Cache:
            def load(self, key):
                self.guard.acquire()
                value = compute(key)
                self.guard.release()
                return value
    """
    profile = example(text, ("self.guard.acquire",), state="waiting")
    held = example(text, ("value = compute",))
    both = replace(profile, stacks=(*profile.stacks, *held.stacks))
    assert kinds_in(both) == {"Cache.load": "lock-contention"}


def test_a_lock_that_nobody_waited_for_is_no_fault() -> None:
    text = """
        class Cache:
            def load(self, key):
                with self.lock:
                    return compute(key)
    """
    assert causes(text, ("return compute",)) == {}


def _awaiting(text: str, function: str, *, waits_for: str) -> Profile:
    """A coroutine whose only await, on a line of its own, took the whole second of the run."""
    frame = frame_of(dedent(text), "await")
    step = AwaitStep(
        line=frame.line, column=0, awaited="enter", waits_for=waits_for, count=9, total_s=1.0,
        longest_s=0.5, loop_busy_s=0.0,
    )  # fmt: skip
    sequence = AwaitSequence(
        function=frame_of(dedent(text), f"def {function}").function, calls=9, awaits=(step,),
        awaiting_s=1.0, overlap_s=0.0, open_s=1.0,
    )  # fmt: skip
    return example(text, asyncio=Async(sequences=(sequence,)))


TASKS = """
    async def enter(self, key):
        async with self.door:
            return await self.fetch(key)
    async def page(self, key):
        return await self.enter(key)
"""


def test_tasks_that_wait_for_a_lock_held_over_awaits_are_found() -> None:
    assert kinds_in(_awaiting(TASKS, "enter", waits_for="Lock.acquire")) == {
        "enter": "lock-contention"
    }


def test_tasks_that_wait_for_an_answer_contend_for_nothing() -> None:
    assert kinds_in(_awaiting(TASKS, "enter", waits_for="Future")) == {}


def test_who_only_awaits_the_holder_of_the_lock_is_not_blamed() -> None:
    assert kinds_in(_awaiting(TASKS, "page", waits_for="Lock.acquire")) == {}
