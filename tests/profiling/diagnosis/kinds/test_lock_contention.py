"""Waiting for a lock."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest

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
    assert culprits(RULE, text, ("with DOOR",), ("work()",), state="waiting") == ["enter"]


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


DECORATED = """
    def exclusive(function):
        def method(self, *arguments):
            with self.guard:
                return function(self, *arguments)
        return method
    class Publisher:
        @exclusive
        def send(self, asset):
            return self.bucket.put(asset)
        @exclusive
        def known(self, name):
            return name in self.sent
"""


def test_of_a_lock_in_a_decorator_the_method_that_works_under_it_is_blamed() -> None:
    profile = replace(
        example(DECORATED),
        stacks=(
            *example(DECORATED, ("with self.guard",), state="waiting").stacks,
            *example(DECORATED, ("return function", "self.bucket.put")).stacks,
        ),
    )
    found = claims(RULE, profile)
    assert [claim.function.name for claim in found] == ["Publisher.send"]
    assert "held by `exclusive.<locals>.method` around this" in found[0].evidence


def test_of_a_lock_around_what_a_function_calls_itself_that_function_is_blamed() -> None:
    text = """
        class Store:
            def save(self, row):
                with self.lock:
                    self.write_out(row)
            def write_out(self, row):
                self.file.write(row)
    """
    waiting = example(text, ("with self.lock",), state="waiting")
    running = example(text, ("self.write_out(row)", "self.file.write")).stacks
    both = replace(waiting, stacks=(*waiting.stacks, *running))
    assert [claim.function.name for claim in claims(RULE, both)] == ["Store.save"]


QUICK = """
    class Counter:
        def add(self, key):
            with self.lock:
                self.counts[key] += 1
"""


def test_a_lock_that_guards_what_is_quick_is_waited_for_as_threads_share_an_interpreter() -> None:
    waiting = example(QUICK, ("with self.lock",), state="waiting")
    inside = replace(example(QUICK, ("self.counts[key]",)).stacks[0], cpu_s=0.01)
    assert claims(RULE, replace(waiting, stacks=(*waiting.stacks, inside))) == []


def test_the_body_of_a_with_over_a_context_manager_is_what_holds_its_lock() -> None:
    text = """
        from contextlib import contextmanager
        class Store:
            @contextmanager
            def exclusive(self):
                with self.mutex:
                    yield self.rows
            def save(self, row):
                with self.exclusive() as rows:
                    rows.append(sent(row))
    """
    enter = ("contextlib.py", "__enter__")
    waiting = example(text, ("with self.exclusive", enter, "with self.mutex"), state="waiting")
    working = example(text, ("rows.append(sent",)).stacks
    found = claims(RULE, replace(waiting, stacks=(*waiting.stacks, *working)))
    assert [claim.function.name for claim in found] == ["Store.save"]


@pytest.mark.parametrize(("held_s", "names"), [(0.9, ["enter"]), (0.01, [])])
def test_many_tasks_that_wait_once_for_a_lock_held_for_a_moment_lose_a_moment(
    held_s: float, names: list[str]
) -> None:
    text = dedent(TASKS)
    lock, fetch = (frame_of(text, piece) for piece in ("async with", "await self.fetch"))
    steps = tuple(
        AwaitStep(
            line=frame.line,
            column=8,
            awaited="fetch",
            waits_for=waits_for,
            count=40,
            total_s=total_s,
            longest_s=0.1,
            loop_busy_s=0.0,
        )
        for frame, waits_for, total_s in (
            (lock, "Lock.acquire", 20.0),
            (fetch, "Future", held_s),
        )
    )
    sequence = AwaitSequence(
        function=lock.function,
        calls=40,
        awaits=steps,
        awaiting_s=20.0 + held_s,
        overlap_s=held_s,
        open_s=1.0,
    )
    profile = example(text, asyncio=Async(sequences=(sequence,)))
    assert [claim.function.name for claim in claims(RULE, profile)] == names
