"""Loops over a collection within loops over another."""

from __future__ import annotations

import pytest

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


ROUNDS = """
    def order(addons, shop):
        waiting = list(addons)
        while waiting:
            now = [addon for addon in waiting if shop.ready(addon)]
            for addon in now:
                shop.activate(addon)
            waiting = [addon for addon in waiting if not shop.has(addon)]
"""


def test_rounds_over_all_that_still_waits_are_found() -> None:
    assert causes(ROUNDS, ("now = [",)) == {"order": "quadratic"}
    assert causes(ROUNDS, ("waiting = [addon for",)) == {"order": "quadratic"}


def test_rounds_that_put_what_still_waits_aside_are_found() -> None:
    text = """
        def order(waiting, shop):
            while waiting:
                rest = []
                for addon in waiting:
                    if shop.ready(addon):
                        shop.activate(addon)
                    else:
                        rest.append(addon)
                waiting = rest
    """
    assert causes(text, ("if shop.ready",)) == {"order": "quadratic"}


def test_levels_of_a_tree_are_each_gone_through_once() -> None:
    text = """
        def visit(level):
            while level:
                for node in level:
                    node.use()
                level = [child for node in level for child in node.children]
    """
    assert causes(text, ("node.use()",)) == {}
    assert causes(text, ("level = [child",)) == {}


def test_the_neighbours_of_a_frontier_are_new_elements() -> None:
    text = """
        def visit(frontier, seen):
            while frontier:
                following = []
                for node in frontier:
                    for other in node.neighbours:
                        if seen.add(other):
                            following.append(other)
                frontier = following
    """
    assert causes(text, ("if seen.add",)) == {}


def test_a_few_functions_that_are_asked_about_each_element_are_no_square() -> None:
    text = """
        def first(tokens, checks):
            for token in tokens:
                for check in checks:
                    if check(token):
                        return token
    """
    assert causes(text, ("if check(token)",)) == {}


def test_a_loop_over_a_few_constants_around_is_no_square() -> None:
    text = """
        def marked(rows, marks):
            kinds = ("a", "b", "c")
            for kind in ("a", "b", "c"):
                for row in rows:
                    if row.kind == kind:
                        marks.add(row)
    """
    assert causes(text, ("if row.kind",)) == {}


@pytest.mark.parametrize("test", ["i < j", "a is not b", "a != b"])
def test_each_pair_once_is_all_pairs_as_a_result(test: str) -> None:
    text = f"""
        def distances(points):
            return {{
                (i, j): a.far(b)
                for i, a in enumerate(points)
                for j, b in enumerate(points)
                if {test}
            }}
    """
    assert causes(text, ("(i, j): a.far",)) == {}


def test_pairs_that_belong_together_are_few() -> None:
    text = """
        def same(points):
            return [(a, b) for a in points for b in points if a.name == b.name]
    """
    assert causes(text, ("return [",)) == {"same": "quadratic"}
