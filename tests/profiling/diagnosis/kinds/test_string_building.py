"""Texts that grow."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

RULE = "string_building"


def test_an_attribute_that_grows_with_each_call_is_found() -> None:
    text = """
        class Page:
            def __init__(self):
                self.html = ""
            def line(self, row):
                self.html += row
        def run(page, rows):
            for row in rows:
                page.line(row)
    """
    assert culprits(RULE, text, ("page.line(row)", "self.html += row")) == ["Page.line"]


def test_putting_in_front_is_found() -> None:
    text = """
        def reverse(rows):
            out = ""
            for row in rows:
                out = row + out
            return out
    """
    assert culprits(RULE, text, ("out = row + out",)) == ["reverse"]


def test_a_text_made_once_is_no_fault() -> None:
    text = """
        def title(name):
            out = "Dear "
            out += name
            return out
    """
    assert culprits(RULE, text, ("out += name",)) == []


def test_numbers_are_no_texts() -> None:
    text = """
        def count(rows):
            total = 0
            for row in rows:
                total += row.size
            return total
    """
    assert culprits(RULE, text, ("total +=",)) == []
