"""Texts that grow."""

from __future__ import annotations

import pytest

from tests.profiling.diagnosis.kinds.claims import causes, culprits

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


@pytest.mark.parametrize(
    "statement",
    [
        "html = html + row",
        "html = '%s<li>%s' % (html, row)",
        "html = '{}{}'.format(html, row)",
        "html = f'{html}<li>{row}'",
        "html = ''.join((html, row))",
    ],
)
def test_each_way_to_make_a_text_longer_is_known(statement: str) -> None:
    text = f"""
        def page(rows):
            html = ""
            for row in rows:
                {statement}
            return html
    """
    assert causes(text, (statement,)) == {"page": "string-building"}


@pytest.mark.parametrize(
    "statement",
    ["html = f'<li>{row}'", "html = 'a' + row", "count += 1", "html = '{}'.format(row)"],
)
def test_a_text_made_anew_in_each_turn_does_not_grow(statement: str) -> None:
    text = f"""
        def page(rows):
            count = 0
            html = ""
            for row in rows:
                {statement}
                show(html)
    """
    assert causes(text, (statement,)) == {}


def test_the_value_of_a_key_may_be_what_grows() -> None:
    text = """
        def merge(headers, pairs):
            for key, value in pairs:
                headers[key] = headers.get(key, "") + ", " + value
    """
    assert causes(text, ("headers[key] =",)) == {"merge": "string-building"}


def test_another_key_is_another_text() -> None:
    text = """
        def copy(headers, pairs):
            for key, value in pairs:
                headers[key] = headers[value] + ", "
    """
    assert causes(text, ("headers[key] =",)) == {}


def test_asking_a_buffer_for_all_of_its_text_in_each_turn_is_found() -> None:
    text = """
        import io
        def render(rows):
            out = io.StringIO()
            for row in rows:
                out.write(row)
                if len(out.getvalue()) > 99:
                    break
    """
    assert causes(text, ("out.getvalue",)) == {"render": "string-building"}


def test_a_buffer_of_each_turn_may_be_asked_for_its_text() -> None:
    text = """
        import io
        def render(rows):
            for row in rows:
                out = io.StringIO()
                fill(out, row)
                yield out.getvalue()
    """
    assert causes(text, ("out.getvalue",)) == {}
