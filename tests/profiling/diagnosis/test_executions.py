"""How often an expression was executed at least."""

from __future__ import annotations

import ast

import pytest

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.diagnosis.executions import executions, seconds_each
from perfwright.profiling.diagnosis.run import Run

TEXT = """
    def pick(rows, known):
        first(rows)
        for row in rows:
            if row.skipped():
                continue
            each(row)
            MARK
            if row.open:
                some(row)
            for cell in row:
                many(cell)
"""
COUNTS = {"first": 3, "skipped": 90, "each": 50, "some": 20, "many": 4_000}


def counted(text: str, counts: dict[str, int] = COUNTS) -> tuple[int | None, float | None]:
    """Executions of `one in known`, and what each took, if one second passed on its line."""
    calls = {("def pick", name): count for name, count in counts.items()}
    profile = example(text, ("one in known",), calls={("def pick", "def pick"): 4} | calls)
    run = Run(profile)
    place = run.place(frame_of(text, "def pick").function)
    assert place is not None
    assert place.source is not None
    compared = (n for n in place.source.nodes if isinstance(n, ast.Compare))
    node = next(n for n in compared if ast.unparse(n) == "one in known")
    return executions(place, node), seconds_each(place, node, samples=place.charged)


def test_calls_that_are_executed_as_often_say_how_often() -> None:
    assert counted(TEXT.replace("MARK", "one in known")) == (50, 1 / 50)


def test_a_call_before_a_jump_may_be_executed_more_often() -> None:
    counts = {name: count for name, count in COUNTS.items() if name != "each"}
    assert counted(TEXT.replace("MARK", "one in known"), counts) == (20, 1 / 20)


@pytest.mark.parametrize(
    "statement",
    ["if row.rare: one in known", "row.rare and one in known", "[0 for _ in row if one in known]"],
)
def test_what_is_executed_seldom_or_more_often_has_counts_of_its_own(statement: str) -> None:
    assert counted(TEXT.replace("MARK", statement)) == (None, None)


def test_without_a_loop_the_calls_of_the_function_count() -> None:
    text = """
        def pick(one, known):
            return one in known
    """
    assert counted(text, {}) == (4, 1 / 4)


def test_what_an_early_return_leaves_out_is_not_known_by_the_calls_of_the_function() -> None:
    text = """
        def pick(one, known):
            if one is None:
                return False
            return one in known
    """
    assert counted(text, {}) == (None, None)


def test_a_name_that_is_called_in_two_places_counts_for_neither() -> None:
    text = TEXT.replace("MARK", "one in known").replace("first(rows)", "each(rows)")
    counts = {"each": 50}
    assert counted(text, counts) == (None, None)


def test_nothing_is_known_without_counts() -> None:
    text = "def pick(one, known):\n    return one in known\n"
    run = Run(example(text, ("one in known",)))
    (place,) = run.places
    assert place.source is not None
    assert executions(place, place.source.nodes[0]) is None
