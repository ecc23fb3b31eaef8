"""Who keeps things for good, and who only for a while."""

from __future__ import annotations

from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.keeping import BOUNDED, FOR_GOOD, keeper
from perfwright.profiling.diagnosis.run import Run


def certainty(text: str, name: str) -> float:
    """How surely a function keeps what it is given; 0 if it does not."""
    run = Run(example(text))
    module = next(filter(None, map(run.module, run.profile.sources)))
    source = next(f for f in module.functions if f.node.name == name)
    found = keeper(run, source)
    return found.certainty if found else 0.0


def test_a_global_and_a_closed_over_variable_keep_for_good() -> None:
    text = """
        SEEN = []
        def note(x):
            SEEN.append(x)
        def make():
            calls = {}
            def inner(x):
                calls[x] = x
            return inner
    """
    assert certainty(text, "note") == certainty(text, "inner") == FOR_GOOD


def test_a_local_list_keeps_nothing() -> None:
    text = """
        def collect(rows):
            out = []
            for row in rows:
                out.append(row)
            return out
    """
    assert certainty(text, "collect") == 0.0


def test_what_is_taken_out_again_is_bounded() -> None:
    text = """
        class Cache:
            def put(self, key, value):
                self.rows[key] = value
                if len(self.rows) > 9:
                    self.rows.popitem()
    """
    assert certainty(text, "put") == BOUNDED


def test_a_collection_that_is_gone_through_may_be_the_purpose() -> None:
    text = """
        class Report:
            def add(self, row):
                self.rows.append(row)
            def text(self):
                return sorted(self.rows)
        class Store:
            def put(self, key, row):
                self.kept[key] = row
            def get(self, key):
                return self.kept[key]
    """
    assert BOUNDED < certainty(text, "add") < certainty(text, "put")


def test_a_counter_keeps_nothing() -> None:
    text = """
        class Store:
            def __init__(self):
                self.bytes = 0
            def count(self, row):
                self.asked += 1
                self.bytes += row
            def size(self, row):
                self.read += len(row)
            def add(self, rows):
                self.rows += rows
    """
    assert certainty(text, "count") == certainty(text, "size") == 0.0
    assert certainty(text, "add") > BOUNDED
