from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from perfwright.report import run_markdown, wording
from perfwright.report.markdown import code, escaped, fenced
from tests.report import records

PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")
OWN_TAGS = {
    *("h2", "h3", "p", "strong", "code", "pre", "ul", "li", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


class Reader(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(PARSER.render(markdown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(markdown: str) -> str:
    return Reader(markdown).text.replace("\u200b", "").strip()


@pytest.mark.parametrize("run", [records.full_run, records.hostile_run, records.empty_run])
def test_only_own_elements_come_out(run: Any) -> None:
    assert set(Reader(run_markdown(run())).tags) <= OWN_TAGS


def test_details_are_closed_as_often_as_opened() -> None:
    html = PARSER.render(run_markdown(records.hostile_run()))
    assert html.count("<details>") == html.count("</details>") > 0


def test_a_name_cannot_add_a_column() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", run_markdown(records.hostile_run()), re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


@given(st.text(max_size=40))
def test_escaped_text_shows_as_it_is(text: str) -> None:
    page = Reader(escaped(f"x{text}x"))
    assert set(page.tags) == {"p"}
    assert page.text.replace("\u200b", "").strip() == wording.plain(f"x{text}x")


@given(st.text("ab`|\\<&*_ '\"", min_size=1, max_size=20))
def test_inline_code_shows_what_it_was_given(text: str) -> None:
    given_text = f"x{text}x"
    cell = f"| a |\n|---|\n| {code(given_text)} |"
    assert " ".join(seen(cell).split()[1:]) == " ".join(given_text.split())


@given(st.text("`~ab\n ", max_size=30))
def test_no_line_closes_its_code_block(text: str) -> None:
    tokens = PARSER.parse(fenced([text]))
    assert [token.type for token in tokens] == ["fence"]


def test_names_call_nobody() -> None:
    text = run_markdown(records.hostile_run())
    prose = re.sub(r"(?ms)^(`{3,}).*?^\1$", "", text)  # a block of code calls nobody anyway
    assert "@all" not in prose
    assert "@all" not in PARSER.render(escaped("@all"))


def test_the_table_has_prediction_outcome_interval_of_every_experiment() -> None:
    rows = run_markdown(records.full_run()).splitlines()
    second = next(row for row in rows if row.startswith("| e2 |"))
    assert second.endswith("| -14.0 % | **-8.6 %** | -10.5 to -6.7 % | 100 |")
    assert "| e5 | failed | Create index carts_updated | -3.0 % | not measured |  |  |" in rows


def test_statements_stand_in_sql_blocks() -> None:
    text = run_markdown(records.full_run())
    assert "```sql\nCREATE INDEX orders_customer ON orders (customer_id, placed_at)\n```" in text
    assert "Undo:\n\n```sql\nDROP INDEX IF EXISTS orders_customer\n```" in text


def test_a_run_without_experiments_has_no_table_of_them() -> None:
    text = run_markdown(records.profile_run())
    assert "predicted" not in text
    assert "## perfwright profile: 5 bottlenecks found" in text


def test_values_are_hidden_unless_asked_for() -> None:
    assert "TEA-0815" not in run_markdown(records.full_run())
    assert "TEA-0815" in run_markdown(records.full_run(), mask_literals=False)


def test_a_note_cannot_become_a_heading() -> None:
    text = run_markdown(replace(records.empty_run(), notes=("x\n\n# Big",)))
    assert "h1" not in Reader(text).tags
