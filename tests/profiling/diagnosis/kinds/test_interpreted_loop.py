"""Arithmetic in Python."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import causes, culprits

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


def test_a_loop_that_makes_records_is_not() -> None:
    text = """
        def points(rows):
            return [(row[0] * 2, row[1] * 3 + 1, row[2] * 4) for row in rows]
    """
    assert causes(text, ("return [(",)) == {}


def test_a_comprehension_of_arithmetic_in_a_loop_is_found() -> None:
    text = """
        def scale(rows, a, b, c):
            for row in rows:
                yield [a * x * x + b * x + c for x in row]
    """
    assert causes(text, ("yield [a",)) == {"scale": "interpreted-loop"}


def test_counting_bits_one_by_one_is_found() -> None:
    text = """
        def distance(left, right):
            rest, differing = left ^ right, 0
            while rest:
                differing += rest & 1
                rest >>= 1
            return differing
    """
    assert causes(text, ("rest >>= 1",)) == {"distance": "interpreted-loop"}


def test_steps_of_a_counter_are_no_arithmetic() -> None:
    text = """
        def skip(text, at):
            while text[at + 1] < "z":
                at += 1
            return at
    """
    assert causes(text, ("at += 1",)) == {}


def test_sums_by_the_keys_of_a_graph_are_no_arrays() -> None:
    text = """
        def accumulate(graph, delta, sigma):
            for node in reversed(graph.order):
                share = (1 + delta[node]) / sigma[node]
                for other in graph.before[node]:
                    delta[other] += sigma[other] * share - delta[node]
    """
    assert causes(text, ("delta[other] +=",)) == {}


def test_elements_that_are_reckoned_with_are_an_array() -> None:
    text = """
        def scale(rows, share, offset):
            for row in rows:
                for at, value in enumerate(row):
                    row[at] = (value - offset) * share + 1
    """
    assert causes(text, ("row[at] = ",)) == {"scale": "interpreted-loop"}
