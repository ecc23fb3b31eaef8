"""Searches from the beginning."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import causes, culprits

RULE = "linear_scan"


def test_a_search_in_a_function_called_often_is_found() -> None:
    text = """
        class Stock:
            def find(self, sku):
                for item in self.items:
                    if item.sku == sku:
                        return item
        def run(stock, skus):
            for sku in skus:
                stock.find(sku)
    """
    assert culprits(RULE, text, ("stock.find", "if item.sku")) == ["Stock.find"]


def test_a_membership_test_seen_late_is_found() -> None:
    text = """
        def unique(rows):
            seen = []
            for row in rows:
                if row in seen:
                    continue
                seen.append(row)
    """
    assert culprits(RULE, text, ("continue",)) == ["unique"]


def test_a_list_kept_by_the_object_is_known_by_its_type() -> None:
    text = """
        class Mails:
            def __init__(self):
                self.known: list[str] = []
            def add(self, mail):
                if mail in self.known:
                    return False
        def run(mails, rows):
            for row in rows:
                mails.add(row)
    """
    assert culprits(RULE, text, ("mails.add(row)", "mail in self.known")) == ["Mails.add"]


def test_a_search_done_once_is_no_fault() -> None:
    text = """
        def find(items, sku):
            for item in items:
                if item.sku == sku:
                    return item
    """
    assert culprits(RULE, text, ("if item.sku",)) == []


def test_a_short_literal_is_no_list_to_search() -> None:
    text = """
        def vowels(text):
            for letter in text:
                if letter in ["a", "e", "i"]:
                    yield letter
    """
    assert culprits(RULE, text, ("letter in [",)) == []


def test_a_dict_is_not_searched() -> None:
    text = """
        def known(rows):
            names = {row.name: row for row in rows}
            for row in rows:
                if row.name in names:
                    yield row
    """
    assert culprits(RULE, text, ("row.name in names",)) == []


def test_a_filter_for_each_key_is_found() -> None:
    text = """
        def count(orders, key):
            return len([order for order in orders if order.customer == key])
        def report(orders, keys):
            for key in keys:
                yield count(orders, key)
    """
    path = ("yield count", "return len([")
    assert causes(text, path) == {"count": "linear-scan"}


def test_the_first_that_matches_is_a_search() -> None:
    text = """
        def label(customers, key):
            return next(customer.name for customer in customers if customer.id == key)
        def run(customers, orders):
            for order in orders:
                show(label(customers, order.key))
    """
    path = ("show(label", "return next")
    assert causes(text, path) == {"label": "linear-scan"}


def test_a_filter_that_compares_elements_with_themselves_looks_for_no_key() -> None:
    text = """
        def late(orders, names):
            for name in names:
                yield [order for order in orders if order.due < order.sent]
    """
    assert "linear-scan" not in causes(text, ("yield [order",)).values()


def test_a_filter_of_what_is_made_for_it_searches_nothing_stored() -> None:
    text = """
        def parts(lines, mark):
            for line in lines:
                yield [part for part in line.split() if part == mark]
    """
    assert causes(text, ("yield [part",)) == {}


def test_trying_one_number_after_the_other_from_the_first_is_found() -> None:
    text = """
        def name(used: set[str]):
            n = 1
            while f"file{n}" in used:
                n += 1
            return n
        def run(files, used):
            for file in files:
                used.add(name(used))
    """
    path = ("used.add(name", "n += 1")
    assert causes(text, path) == {"name": "linear-scan"}


def test_carrying_on_from_a_given_number_is_no_search_from_the_first() -> None:
    text = """
        def name(used: set[str], n):
            while f"file{n}" in used:
                n += 1
            return n
        def run(files, used):
            for file in files:
                used.add(name(used, file.number))
    """
    path = ("used.add(name", "n += 1")
    assert causes(text, path) == {}


def test_counting_a_number_down_asks_for_nothing_kept() -> None:
    text = """
        def halve(n):
            steps = 0
            while n > steps:
                steps += 1
            return steps
        def run(numbers):
            for number in numbers:
                halve(number)
    """
    assert causes(text, ("halve(number)", "steps += 1")) == {}


def test_removing_by_value_from_a_list_searches_it() -> None:
    text = """
        def cancel(jobs: list, names):
            for name in names:
                jobs.remove(name)
    """
    assert causes(text, ("jobs.remove",)) == {"cancel": "linear-scan"}


def test_removing_from_a_set_searches_nothing() -> None:
    text = """
        def cancel(jobs: set[str], names):
            for name in names:
                jobs.remove(name)
    """
    assert causes(text, ("jobs.remove",)) == {}


def test_a_list_of_unknown_type_must_take_half_of_the_time() -> None:
    text = """
        def unique(rows, known):
            for row in rows:
                if row in known:
                    keep(row)
                show(row)
    """
    rest = [("show(row)",)] * 2
    assert causes(text, ("row in known",)) == {"unique": "linear-scan"}
    assert causes(text, ("row in known",), *rest) == {}


def test_keyword_arguments_are_looked_up_not_searched() -> None:
    text = """
        def make(rows, **options):
            for row in rows:
                if row.key in options:
                    row.use(options[row.key])
    """
    assert culprits(RULE, text, ("row.key in options",)) == []
