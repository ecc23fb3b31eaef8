"""Passes over what has grown."""

from __future__ import annotations

from perfwright.profiling.diagnosis.examples import example
from tests.profiling.diagnosis.kinds.claims import claims


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
