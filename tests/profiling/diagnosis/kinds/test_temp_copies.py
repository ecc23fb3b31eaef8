"""Copies that are dropped."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

RULE = "temp_copies"


def test_copies_in_a_recursion_are_found() -> None:
    text = """
        def total(rows):
            if not rows:
                return 0
            rest = rows[1:]
            return rows[0] + total(rest)
    """
    assert culprits(RULE, text, ("rest = rows",)) == ["total"]


def test_merging_a_dict_into_a_new_one_in_a_loop_is_found() -> None:
    text = """
        def merge(parts):
            out = {}
            for part in parts:
                out = {**out, part.key: part}
            return out
    """
    assert culprits(RULE, text, ("out = {**out",)) == ["merge"]


def test_one_copy_is_no_fault() -> None:
    text = "def read(rows):\n    return list(rows)\n"
    assert culprits(RULE, text, ("return list",)) == []
