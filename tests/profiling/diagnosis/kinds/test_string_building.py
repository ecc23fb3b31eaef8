"""Texts that grow."""

from __future__ import annotations

import pytest

from perfwright.profiling.diagnosis.examples import example
from tests.profiling.diagnosis.kinds.claims import causes, claims, culprits

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


@pytest.mark.parametrize("statement", ["html += row", "html = html + row"])
def test_a_local_text_that_the_interpreter_makes_longer_in_place_is_no_fault(
    statement: str,
) -> None:
    text = f"""
        def page(rows):
            html = ""
            for row in rows:
                {statement}
            return html
    """
    assert causes(text, (statement,)) == {}


def test_a_text_of_an_outer_function_is_copied() -> None:
    text = """
        def page(rows):
            html = ""
            def lines(rows):
                nonlocal html
                for row in rows:
                    html += f"<li>{row}"
            lines(rows)
            return html
    """
    assert culprits(RULE, text, ("html += ",)) == ["page.<locals>.lines"]


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
        "html = html + row + row",
        "html = row + html",
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


@pytest.mark.parametrize(
    "loop",
    [
        "for sep in ('a', 'b', 'c'):",
        "for sep in SEPARATORS:",
        "for sep in range(3):",
        "if sep:",
    ],
)
def test_a_local_text_that_a_few_turns_make_longer_stays_short(loop: str) -> None:
    text = f"""
        SEPARATORS = ("a", "b")
        def plain(text, sep):
            {loop}
                text = f"{{text}}{{sep}}"
            return text
        def run(texts):
            for text in texts:
                plain(text, "-")
    """
    assert culprits(RULE, text, ("plain(text, ", "text = f")) == []


def test_what_is_joined_again_from_its_own_pieces_does_not_grow() -> None:
    text = """
        def plain(text, separators):
            for sep in separators:
                text = "".join(text.split(sep))
            return text
    """
    assert culprits(RULE, text, ("text = ",)) == []


def test_a_text_that_each_turn_begins_anew_stays_short() -> None:
    text = """
        def lines(rows):
            for row in rows:
                line = ""
                line = f"{line}{row.name}"
                line = f"{line}{row.size}"
                yield line
    """
    assert culprits(RULE, text, ("line = f",)) == []
    assert culprits(RULE, text.replace('line = ""', "line = row.head"), ("line = f",)) == []


def test_a_text_that_an_inner_loop_makes_longer_is_found() -> None:
    text = """
        def lines(rows):
            for row in rows:
                line = ""
                for cell in row:
                    line = f"{line}{cell}"
                yield line
    """
    assert culprits(RULE, text, ("line = f",)) == ["lines"]


def test_a_text_that_is_short_is_copied_at_once() -> None:
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

    def found(count: int) -> list[str]:
        calls = {("page.line", "def line"): count}
        profile = example(text, ("page.line(row)", "self.html += row"), calls=calls)
        return [c.function.name for c in claims(RULE, profile)]

    assert found(10_000) == ["Page.line"]
    assert found(10_000_000) == []
