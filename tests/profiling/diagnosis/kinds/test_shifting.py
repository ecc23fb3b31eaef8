"""Taking from, and putting at, the front."""

from __future__ import annotations

import pytest

from tests.profiling.diagnosis.kinds.claims import causes


@pytest.mark.parametrize(
    "statement",
    [
        "row = rows.pop(0)",
        "rows.insert(0, one)",
        "del rows[0]",
        "del rows[:9]",
        "rows = rows[9:]",
        "head, rows = rows[:9], rows[9:]",
        "rows = [one] + rows",
        "rows = rows + [one]",
        'line, _, rows = rows.partition(";")',
        'line, rows = rows.split(";", 1)',
    ],
)
def test_what_moves_or_copies_all_the_rest_in_each_turn_is_found(statement: str) -> None:
    text = f"""
        def drain(rows, one):
            while rows:
                {statement}
                one.use()
    """
    assert causes(text, (statement,)) == {"drain": "quadratic"}


@pytest.mark.parametrize(
    "statement",
    ["row = rows.pop()", "rows.append(one)", "del rows[-1]", "rest = other[9:]", "rows = rows[:9]"],
)
def test_the_far_end_costs_nothing(statement: str) -> None:
    text = f"""
        def drain(rows, other, one):
            while rows:
                {statement}
                one.use()
    """
    assert "quadratic" not in causes(text, (statement,)).values()


def test_a_deque_may_be_taken_from_the_front() -> None:
    text = """
        from collections import deque
        def drain(rows):
            jobs = deque(rows)
            while jobs:
                jobs.popleft()
                del jobs[0]
    """
    assert causes(text, ("del jobs[0]",)) == {}


def test_a_key_of_a_dict_that_is_zero_is_no_front() -> None:
    text = """
        def drain(jobs: dict, names):
            for name in names:
                jobs.pop(0)
    """
    assert causes(text, ("jobs.pop(0)",)) == {}


def test_once_is_no_fault() -> None:
    text = "def first(jobs):\n    return jobs.pop(0)\n"
    assert causes(text, ("jobs.pop(0)",)) == {}


def test_a_function_called_for_each_element_is_a_loop_too() -> None:
    text = """
        class Tape:
            def step(self):
                return self.cells.pop(0)
        def run(tape, steps):
            for step in steps:
                tape.step()
    """
    assert causes(text, ("tape.step()", "self.cells.pop(0)")) == {"Tape.step": "quadratic"}


def test_eating_a_text_from_its_front_is_found_where_it_is_seen() -> None:
    text = """
        def words(line):
            while len(line) > 9:
                line = line[9:]
                limit = min(len(line), 9)
    """
    assert causes(text, ("limit = min",)) == {"words": "quadratic"}


@pytest.mark.parametrize(
    "statement",
    ["del rows[at]", "row = rows.pop(at)", "rows.insert(at, one)"],
)
def test_what_moves_all_behind_a_place_in_a_list_is_found(statement: str) -> None:
    text = f"""
        def merge(rows: list, one):
            at = 1
            while at < len(rows):
                {statement}
                at = one.next(at)
    """
    assert causes(text, (statement,)) == {"merge": "quadratic"}
    anything = text.replace("rows: list", "rows")
    known = statement.startswith("rows.insert")  # nothing but a list can do that
    assert causes(anything, (statement,)) == ({"merge": "quadratic"} if known else {})


@pytest.mark.parametrize(
    "statement",
    [
        "row = rows.pop(-1)",
        "del rows[at:]",
        "del rows[len(rows) - 1]",
        "rows.insert(len(rows), 1)",
        "bisect.insort(rows, at)",  # which is what sorting again and again is mended with
    ],
)
def test_nothing_is_behind_the_end(statement: str) -> None:
    text = f"""
        def merge(rows: list, at):
            while at < len(rows):
                {statement}
                at.use()
    """
    assert causes(text, (statement,)) == {}


def test_taking_from_the_front_of_a_few_costs_nothing() -> None:
    text = """
        def drain(rows: list):
            while rows:
                row = rows.pop(0)
                row.use()
    """

    def found(count: int) -> dict[str, str]:
        calls = {
            ("def drain", "def drain"): 9,
            ("row = rows", "<method 'pop' of 'list' objects>"): count,
        }
        return causes(text, ("row = rows.pop(0)",), calls=calls)

    assert found(10_000) == {"drain": "quadratic"}
    assert found(10_000_000) == {}
