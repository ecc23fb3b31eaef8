"""Sorting again."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

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


def test_sorting_once_is_no_fault() -> None:
    text = "def tidy(rows):\n    return sorted(rows)\n"
    assert culprits(RULE, text, ("return sorted",)) == []
