"""Sorting again."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Arguments
from tests.profiling.diagnosis.kinds.claims import causes, culprits, kinds_in

RULE = "sort_in_loop"


def test_sorting_what_the_object_keeps_at_each_call_is_found() -> None:
    text = """
        class Board:
            def add(self, score):
                self.scores.append(score)
                self.scores.sort()
        def run(board, scores):
            for score in scores:
                board.add(score)
    """
    assert culprits(RULE, text, ("board.add", "self.scores.sort()")) == ["Board.add"]


def test_sorting_the_same_list_in_each_turn_is_found() -> None:
    text = """
        def ranks(rows, all_rows):
            for row in rows:
                yield sorted(all_rows).index(row)
    """
    assert culprits(RULE, text, ("yield sorted",)) == ["ranks"]


def test_each_object_may_sort_what_it_keeps_once() -> None:
    text = """
        class Board:
            def best(self):
                return sorted(self.scores)[:9]
        def run(boards):
            for board in boards:
                show(board.best())
    """
    profile = example(text, ("show(board", "return sorted"))
    best = frame_of(dedent(text), "def best").function
    looks = Arguments(function=best, looks=100, distinct=100, by_value=False, each=(("self", 100),))
    assert kinds_in(profile) == {"Board.best": "sort-in-loop"}
    assert kinds_in(replace(profile, arguments=(looks,))) == {}


def test_sorting_once_is_no_fault() -> None:
    text = "def tidy(rows):\n    return sorted(rows)\n"
    assert culprits(RULE, text, ("return sorted",)) == []


def test_sorting_again_to_measure_it_is_no_fault() -> None:
    text = """
        def time(rows):
            for _ in range(100):
                sorted(rows)
    """
    assert causes(text, ("    sorted(rows)",)) == {}


def test_sorting_what_is_passed_in_at_each_call_is_judged_by_what_was_seen() -> None:
    text = """
        def ranks(scores):
            return sorted(scores)
        def run(rows):
            for row in rows:
                show(ranks(row.scores))
    """
    profile = example(text, ("show(ranks", "return sorted"))
    function = frame_of(dedent(text), "def ranks").function

    def seen(distinct: int) -> dict[str, str]:
        looks = Arguments(
            function=function, looks=100, distinct=distinct, by_value=False,
            each=(("scores", distinct),),
        )  # fmt: skip
        return kinds_in(replace(profile, arguments=(looks,)))

    assert seen(2) == {"ranks": "sort-in-loop"}
    assert seen(100) == {}


def test_a_loop_that_counts_its_turns_but_adds_in_each_sorts_again() -> None:
    text = """
        def run(count, draw):
            board = []
            for i in range(count):
                board.append(draw())
                board = sorted(board, reverse=True)
            return board
    """
    assert causes(text, ("board = sorted",)) == {"run": "sort-in-loop"}


@pytest.mark.parametrize("sort", ["lines.sort()", "show(sorted(lines))"])
def test_what_each_turn_makes_is_sorted_once(sort: str) -> None:
    text = f"""
        def tidy(orders):
            for order in orders:
                lines = load(order)
                lines.append(order.total)
                {sort}
    """
    assert culprits(RULE, text, (sort,)) == []


def test_sorting_a_few_takes_no_time() -> None:
    text = """
        class Board:
            def add(self, score):
                self.scores.append(score)
                self.scores.sort()
        def run(board, scores):
            for score in scores:
                board.add(score)
    """

    def found(count: int) -> dict[str, str]:
        calls = {("board.add", "def add"): count}
        return causes(text, ("board.add", "self.scores.sort()"), calls=calls)

    assert found(10_000) == {"Board.add": "sort-in-loop"}
    assert found(10_000_000) == {}
