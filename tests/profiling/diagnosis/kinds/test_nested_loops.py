"""Loops over a collection within loops over another."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import causes


def test_pairs_of_one_collection_are_found() -> None:
    text = """
        def overlaps(spans):
            for i in range(len(spans)):
                for j in range(i + 1, len(spans)):
                    if spans[i].end > spans[j].start:
                        yield i, j
    """
    assert causes(text, ("if spans[i]",)) == {"overlaps": "quadratic"}


def test_pairs_counted_by_hand_are_found() -> None:
    text = """
        def overlaps(spans):
            i = 0
            while i < len(spans):
                j = 0
                while j < len(spans):
                    check(spans[i], spans[j])
                    j += 1
                i += 1
    """
    assert causes(text, ("check(spans",)) == {"overlaps": "quadratic"}


def test_a_counter_that_only_moves_on_visits_each_element_once() -> None:
    text = """
        def merge(left, right):
            j = 0
            for row in left:
                while j < len(right):
                    j = advance(row, right, j)
    """
    assert causes(text, ("j = advance",)) == {}


def test_matching_two_collections_by_a_key_is_found() -> None:
    text = """
        def label(orders, customers):
            for order in orders:
                key = order.customer
                for customer in customers:
                    if key == customer.id:
                        order.name = customer.name
    """
    assert causes(text, ("if key ==",)) == {"label": "quadratic"}


def test_all_pairs_without_a_match_are_not_called_a_fault() -> None:
    text = """
        def schedule(teams, days):
            for team in teams:
                for day in days:
                    plan(team, day)
    """
    assert causes(text, ("plan(team",)) == {}


def test_a_fixed_table_in_a_loop_is_no_square() -> None:
    text = """
        FIELDS = ("name", "city")
        def rows(people):
            for person in people:
                for field in FIELDS:
                    if person.has(field):
                        yield person[field]
    """
    assert causes(text, ("yield person",)) == {}


def test_a_literal_around_a_loop_is_no_square() -> None:
    text = """
        def ends(rows):
            for side in ("left", "right"):
                for row in rows:
                    if row.side == side:
                        keep(row)
    """
    assert causes(text, ("keep(row)",)) == {}


def test_a_loop_that_only_repeats_its_body_is_no_square() -> None:
    text = """
        def average(rows):
            for _ in range(1000):
                best = pick()
                for row in rows:
                    if row.score > best:
                        weigh(row)
    """
    assert causes(text, ("weigh(row)",)) == {}


def test_rows_of_a_table_are_not_its_square() -> None:
    text = """
        def total(table):
            for row in table:
                for cell in row:
                    yield cell
    """
    assert causes(text, ("yield cell",)) == {}


def test_looking_through_all_that_is_left_to_take_one_out_is_found() -> None:
    text = """
        def order(left):
            while left:
                for name, needs in left.items():
                    if not needs:
                        break
                del left[name]
    """
    assert causes(text, ("if not needs",)) == {"order": "quadratic"}


def test_an_endless_loop_over_what_it_is_handed_is_no_square() -> None:
    text = """
        def serve(inbox, log):
            while True:
                for message in inbox:
                    log.note(message)
    """
    assert causes(text, ("log.note",)) == {}


def test_two_loops_of_one_comprehension_over_the_same_are_found() -> None:
    text = """
        def pairs(balls):
            return [(a, b) for a in balls for b in balls if a.touches(b)]
    """
    assert causes(text, ("for a in balls",)) == {"pairs": "quadratic"}


def test_all_pairs_as_a_result_are_worth_their_time() -> None:
    text = """
        def board(ranks, files):
            return [(a, b) for a in ranks for b in files]
    """
    assert causes(text, ("for a in ranks",)) == {}


def test_a_comprehension_that_repeats_on_purpose_is_no_square() -> None:
    text = """
        def sample(rows):
            return sum(weigh(row) for _ in range(9) for row in rows)
    """
    assert causes(text, ("weigh(row) for",)) == {}


def test_flattening_in_a_comprehension_is_no_square() -> None:
    text = """
        def cells(table):
            return [cell for row in table for cell in row if cell]
    """
    assert causes(text, ("for row in table",)) == {}


def test_little_time_in_nested_loops_is_not_worth_a_word() -> None:
    text = """
        def overlaps(spans):
            for a in spans:
                for b in spans:
                    touch(a, b)
            return render(spans)
    """
    rest = [("return render",)] * 9
    assert causes(text, ("touch(a, b)",), *rest) == {}
