"""Passes over what has grown."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Arguments
from tests.profiling.diagnosis.kinds.claims import claims, kinds_in


def test_a_prefix_with_a_moving_end_is_counted_anew() -> None:
    text = """
        def fields(line):
            end = line.find(";")
            while end > 0 and line.count('"', 0, end) % 2:
                end = line.find(";", end + 1)
            return end
    """
    assert [c.lines for c in claims("from_the_start", example(text, ("line.count(",)))] == [(4,)]


def test_what_is_emptied_in_between_does_not_grow() -> None:
    text = """
        class Buffer:
            def feed(self, data):
                self.data.append(data)
            def size(self):
                return sum(self.data)
            def clear(self):
                self.data.clear()
        def pump(buffer, chunks):
            for chunk in chunks:
                buffer.size()
    """
    path = ("buffer.size()", "return sum(self.data)")
    assert claims("from_the_start", example(text, path)) == []


GROWN = """
    class Log:
        def note(self, line):
            self.lines += [line]
        def last(self, mark):
            for line in self.lines:
                if line == mark:
                    show(line)
    def run(log, lines):
        for line in lines:
            log.note(line)
            log.last(line)
"""


def test_going_through_what_another_method_makes_longer_is_found() -> None:
    assert kinds_in(example(GROWN, ("log.last(line)", "show(line)"))) == {"Log.last": "quadratic"}


def test_what_is_replaced_as_a_whole_does_not_grow() -> None:
    text = GROWN.replace("self.lines += [line]", "self.lines = [line]")
    assert kinds_in(example(text, ("log.last(line)", "show(line)"))) == {}


def test_another_object_at_each_call_has_not_grown() -> None:
    seen = example(GROWN, ("log.last(line)", "show(line)"))
    last = frame_of(dedent(GROWN), "def last").function
    looks = Arguments(function=last, looks=100, distinct=100, by_value=False, each=(("self", 100),))
    assert kinds_in(replace(seen, arguments=(looks,))) == {}
