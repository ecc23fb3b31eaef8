"""Copies that are dropped."""

from __future__ import annotations

import pytest

from tests.profiling.diagnosis.kinds.claims import causes, culprits

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


@pytest.mark.parametrize(
    "copy",
    [
        "list(rows)",
        "rows.copy()",
        "rows[1:]",
        "[*rows, one]",
        "{**rows}",
        "tuple(rows)",
        "one.union([move])",
    ],
)
def test_each_way_to_copy_is_known(copy: str) -> None:
    text = f"""
        def states(moves, rows, one):
            for move in moves:
                state = {copy}
                yield state, move
    """
    assert causes(text, ("state =",)) == {"states": "temp-copies"}


@pytest.mark.parametrize(
    "value",
    [
        "rows[1]",
        "rows[:9]",
        "rows[2:4]",
        "rows[-9:]",
        "bytearray(size)",
        "name[1:]",
        "a + b",
        "[one, two]",
    ],
)
def test_what_copies_no_collection_is_left_alone(value: str) -> None:
    text = f"""
        def states(moves, rows, size, name: str, a, b, one, two):
            for move in moves:
                state = {value}
                yield state, move
    """
    assert causes(text, ("state =",)) == {}
