"""Searches from the beginning."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

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
