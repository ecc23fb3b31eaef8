"""Arithmetic in Python."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

RULE = "interpreted_loop"


def test_a_loop_of_arithmetic_is_found_also_where_it_jumps_back() -> None:
    text = """
        def mandel(width, height):
            for y in range(height):
                for x in range(width):
                    a = x * 3.0 / width - 2
                    b = y * 2.0 / height - 1
                    n = a * a + b * b
    """
    assert culprits(RULE, text, ("n = a * a",), ("a = x * 3",)) == ["mandel"]


def test_a_loop_that_calls_into_libraries_is_not() -> None:
    text = """
        import zlib
        def pack(rows):
            n = 0
            for row in rows:
                n += len(zlib.compress(row)) * 2 + n % 7
    """
    assert culprits(RULE, text, ("zlib.compress",)) == []


def test_a_loop_over_texts_is_not() -> None:
    text = """
        def names(people):
            for person in people:
                yield person.first + " " + person.last
    """
    assert culprits(RULE, text, ("yield person",)) == []
