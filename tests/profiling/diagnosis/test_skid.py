"""Samples that were taken late."""

from __future__ import annotations

from dataclasses import replace

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.model import Call

TEXT = """
    class Page:
        def write(self, markup):
            self.html = self.html + markup
        def row(self, cells):
            self.write(cells)
        def note(self, cells):
            self.write(cells)
            self.notes = 1
    def run(page, rows):
        for row in rows:
            page.row(row)
        page.note(rows)
"""

BEGIN = ("def run", "def run", 0.1)


def charged(*edges: tuple[str, str, float]) -> dict[str, float]:
    """Own time by function, where all samples lie in `run`, and these calls took so long."""
    calls = tuple(
        Call(
            caller=frame_of(TEXT, caller).function,
            callee=frame_of(TEXT, callee).function,
            count=100,
            self_s=self_s,
            cumulative_s=1.0,
        )
        for caller, callee, self_s in edges
    )
    run = Run(replace(example(TEXT, ("page.row",)), calls=calls))
    return {place.function.name: round(place.self_s, 2) for place in run.places if place.self_s}


def test_time_seen_in_a_caller_goes_back_to_the_callee_that_counts_say() -> None:
    seen = charged(BEGIN, ("def run", "def row", 0.9))
    assert seen == {"Page.row": 0.9, "run": 0.1}


def test_it_goes_back_through_a_function_that_returns_at_once_as_well() -> None:
    seen = charged(BEGIN, ("def run", "def row", 0.1), ("def row", "def write", 0.8))
    assert seen == {"Page.write": 0.8, "Page.row": 0.1, "run": 0.1}


def test_a_function_that_goes_on_afterwards_would_have_been_seen_itself() -> None:
    seen = charged(BEGIN, ("def run", "def note", 0.1), ("def note", "def write", 0.8))
    assert "Page.write" not in seen
