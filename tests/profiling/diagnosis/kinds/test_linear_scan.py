"""Searches from the beginning."""

from __future__ import annotations

import pytest

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


UNKNOWN = """
    def unique(rows, known):
        for row in rows:
            if row in known:
                keep(row)
            show(row)
"""


def test_what_is_searched_without_a_known_type_must_take_long_each_time() -> None:
    shown = ("for row in rows", "def show")
    text = UNKNOWN + "    def show(row):\n        pass\n"

    def found(count: int) -> dict[str, str]:
        calls = {shown: count, ("def unique", "def unique"): 1}
        return causes(text, ("row in known",), calls=calls)

    assert found(10_000) == {"unique": "linear-scan"}  # 0.1 ms each
    assert found(1_000_000) == {}


def test_what_is_searched_without_a_known_type_must_take_half_of_the_time() -> None:
    calls = {("for row in rows", "show"): 10_000, ("def unique", "def unique"): 1}
    rest = [("show(row)",)] * 2
    assert causes(UNKNOWN, ("row in known",), calls=calls) == {"unique": "linear-scan"}
    assert causes(UNKNOWN, ("row in known",), *rest, calls=calls) == {}


def test_nothing_is_said_of_an_unknown_type_without_counts() -> None:
    assert causes(UNKNOWN, ("row in known",)) == {}


def test_a_piece_of_a_text_is_no_element() -> None:
    text = """
        def failures(lines):
            for line in lines:
                if "ERROR" in line:
                    keep(line)
                show(line)
    """
    calls = {("for line in lines", "show"): 10_000, ("def failures", "def failures"): 1}
    assert causes(text, ('"ERROR" in line',), calls=calls) == {}


def test_a_list_given_by_the_callers_is_searched() -> None:
    text = """
        def new(row, known):
            return row not in known
        def run(rows):
            known = []
            for row in rows:
                if new(row, known):
                    known.append(row)
    """
    assert causes(text, ("if new(row", "row not in known")) == {"new": "linear-scan"}
    hashed = text.replace("known = []", "known = set()")
    assert causes(hashed, ("if new(row", "row not in known")) == {}


def test_a_list_that_is_searched_at_once_is_short() -> None:
    text = """
        class Guard:
            def __init__(self):
                self.known = []
            def knows(self, name):
                return name in self.known
        def run(guard, names):
            for name in names:
                guard.knows(name)
    """

    def found(count: int) -> dict[str, str]:
        calls = {("guard.knows", "def knows"): count}
        return causes(text, ("guard.knows", "in self.known"), calls=calls)

    assert found(10_000) == {"Guard.knows": "linear-scan"}
    assert found(10_000_000) == {}


def test_a_list_that_an_own_method_makes_is_searched() -> None:
    text = """
        class Access:
            def members(this):
                return list(this.users)
            def allowed(this, user):
                return user in this.members()
        def check(access, users):
            return [user for user in users if access.allowed(user)]
    """
    assert culprits(RULE, text, ("access.allowed", "user in this")) == ["Access.allowed"]


def test_a_stack_whose_top_is_looked_at_is_not_searched() -> None:
    text = """
        class Builder:
            def within(self, name):
                for node in reversed(self.open):
                    if node.name == name:
                        return node
        def run(builder, names):
            for name in names:
                builder.within(name)
    """

    def found(count: int) -> dict[str, str]:
        calls = {("builder.within", "def within"): count}
        return causes(text, ("builder.within", "node.name == name"), calls=calls)

    assert found(10_000) == {"Builder.within": "linear-scan"}
    assert found(1_000_000) == {}
    assert causes(text, ("builder.within", "node.name == name")) == {}  # nothing was counted


def test_short_constants_are_not_searched_for_long() -> None:
    text = """
        SPACES = (" ", "\\t")
        def words(marks):
            for mark in marks:
                if mark in SPACES:
                    yield mark
    """
    assert causes(text, ("mark in SPACES",)) == {}


HASHED = {
    "a default of the parameter": ("known=frozenset(range(9))", ""),
    "a range": ("limit", "known = range(0, limit, 2)"),
    "a dict in a default": ("known={}", ""),
    "a dict unless given": ("memo=None", "known = memo or {}"),
    "a dict if nothing is given": ("memo=None", "known = memo if memo is not None else {}"),
    "what an own function makes": ("limit", "known = made()"),
}


@pytest.mark.parametrize("case", HASHED)
def test_what_answers_at_once_is_not_searched(case: str) -> None:
    parameter, statement = HASHED[case]
    text = f"""
        def made():
            return {{}}
        def count(rows, {parameter}):
            {statement or "pass"}
            for row in rows:
                if row.key in known:
                    use(row)
    """
    calls = {("for row in rows", "use"): 10_000, ("def count", "def count"): 1}
    assert causes(text, ("row.key in known",), calls=calls) == {}


def test_keyword_arguments_are_looked_up_not_searched() -> None:
    text = """
        def make(rows, **options):
            for row in rows:
                if row.key in options:
                    row.use(options[row.key])
    """
    assert culprits(RULE, text, ("row.key in options",)) == []


def test_what_follows_a_search_that_found_nothing_is_not_the_search() -> None:
    text = """
        def parse(lines, limit):
            for line in lines:
                if line > limit:
                    break
            else:
                work(lines)
        def run(texts):
            for text in texts:
                parse(text, 9)
    """
    assert culprits(RULE, text, ("parse(text", "    work(lines)")) == []
    assert culprits(RULE, text, ("parse(text", "if line > limit")) == ["parse"]


def test_a_look_at_each_element_of_what_the_call_makes_is_no_search_of_a_store() -> None:
    text = """
        def parse(text, limit):
            lines = split(text)
            for line in lines:
                if line > limit:
                    return line
        def run(texts):
            for text in texts:
                parse(text, 9)
    """
    assert culprits(RULE, text, ("parse(text, 9)", "if line > limit")) == []
    kept = text.replace("split(text)", "STORE.lines")
    assert culprits(RULE, kept, ("parse(text, 9)", "if line > limit")) == ["parse"]


def test_what_is_done_with_the_one_that_is_found_is_not_the_search() -> None:
    text = """
        class Message:
            def get(self, name):
                for key, value in self.headers:
                    if key == name:
                        return parse(value)
        def run(message, names):
            for name in names:
                message.get(name)
    """
    assert culprits(RULE, text, ("message.get", "return parse")) == []
    assert culprits(RULE, text, ("message.get", "if key ==")) == ["Message.get"]
