"""Waiting for a lock."""

from __future__ import annotations

from dataclasses import replace

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Frame
from tests.profiling.diagnosis.kinds.claims import claims, culprits

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
