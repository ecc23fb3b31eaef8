"""Loops in loops, and shifting."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

RULE = "quadratic"


def test_pairs_of_one_collection_are_found() -> None:
    text = """
        def overlaps(spans):
            for i in range(len(spans)):
                for j in range(i + 1, len(spans)):
                    if spans[i].end > spans[j].start:
                        yield i, j
    """
    assert culprits(RULE, text, ("if spans[i]",)) == ["overlaps"]


def test_taking_from_the_front_of_a_list_is_found() -> None:
    text = """
        def drain(jobs: list):
            while jobs:
                job = jobs.pop(0)
                job.run()
    """
    assert culprits(RULE, text, ("jobs.pop(0)",)) == ["drain"]


def test_a_deque_may_be_taken_from_the_front() -> None:
    text = """
        from collections import deque
        def drain(rows):
            jobs = deque(rows)
            while jobs:
                jobs.popleft()
                del jobs[0]
    """
    assert culprits(RULE, text, ("del jobs[0]",)) == []


def test_eating_a_text_from_its_front_is_found_where_it_is_seen() -> None:
    text = """
        def words(line):
            while len(line) > 9:
                line = line[9:]
                limit = min(len(line), 9)
    """
    assert culprits(RULE, text, ("limit = min",)) == ["words"]


def test_a_fixed_table_in_a_loop_is_no_square() -> None:
    text = """
        FIELDS = ("name", "city")
        def rows(people):
            for person in people:
                for field in FIELDS:
                    yield person[field]
    """
    assert culprits(RULE, text, ("yield person",)) == []


def test_rows_of_a_table_are_not_its_square() -> None:
    text = """
        def total(table):
            for row in table:
                for cell in row:
                    yield cell
    """
    assert culprits(RULE, text, ("yield cell",)) == []


def test_searching_twice_from_the_same_place_is_found() -> None:
    text = """
        def unquote(text):
            i = 0
            while i < len(text):
                octal = OCTAL.search(text, i)
                quote = QUOTE.search(text, i)
                i = nearest(octal, quote)
    """
    assert culprits(RULE, text, ("quote = QUOTE",)) == ["unquote"]


def test_two_loops_of_one_comprehension_over_the_same_are_found() -> None:
    text = """
        def pairs(balls):
            return [(a, b) for a in balls for b in balls if a.touches(b)]
    """
    assert culprits(RULE, text, ("for a in balls",)) == ["pairs"]


def test_flattening_in_a_comprehension_is_no_square() -> None:
    text = """
        def cells(table):
            return [cell for row in table for cell in row if cell]
    """
    assert culprits(RULE, text, ("for row in table",)) == []
