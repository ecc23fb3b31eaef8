from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from perfwright.core import Outcome
from perfwright.experiments.ledger import RunStatus
from perfwright.report import run_html
from tests.report import records

VOID = {"meta"}
RUNS = [records.full_run, records.profile_run, records.empty_run, records.hostile_run]


class Page(HTMLParser):
    """What a browser would build from a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += f"{data} "


def words(html: str) -> str:
    return " ".join(Page(html).text.split()).replace("\N{NO-BREAK SPACE}", " ")


def drawings(html: str) -> list[ET.Element]:
    return [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]


@pytest.mark.parametrize("run", RUNS)
def test_every_element_is_closed(run: Any) -> None:
    assert Page(run_html(run())).open == []


@pytest.mark.parametrize("run", RUNS)
def test_the_page_asks_nothing_of_the_network(run: Any) -> None:
    page = Page(run_html(run()))
    assert not set(page.tags) & {"script", "link", "img", "iframe", "object", "base", "form"}
    links = [value for name, value in page.attributes if name in {"href", "src", "xlink:href"}]
    assert all(link.startswith("#") for link in links)
    assert "url(" not in run_html(run())
    assert "@import" not in run_html(run())


def test_the_page_forbids_scripts_in_its_own_policy() -> None:
    contents = [v for name, v in Page(run_html(records.full_run())).attributes if name == "content"]
    assert "default-src 'none'; style-src 'unsafe-inline'" in contents


def test_a_script_in_a_name_stays_text() -> None:
    html = run_html(records.hostile_run())
    assert "<script" not in html
    assert records.SCRIPT in words(html)


def test_no_attribute_comes_from_a_name() -> None:
    names = {name for name, _ in Page(run_html(records.hostile_run())).attributes}
    assert not {name for name in names if name.startswith("on")}


def test_control_characters_do_not_reach_the_page() -> None:
    html = run_html(records.hostile_run())
    assert not {"\x1b", "\u202e"} & set(html)


def test_text_of_any_language_is_kept() -> None:
    assert "größe 12 µs, 東京" in words(run_html(records.hostile_run()))


@pytest.mark.parametrize("run", RUNS)
def test_every_picture_is_well_formed(run: Any) -> None:
    html = run_html(run())
    assert len(drawings(html)) == html.count("<svg")


def test_every_plot_has_a_title() -> None:
    plots = [svg for svg in drawings(run_html(records.full_run())) if "role" in svg.attrib]
    assert len(plots) == 1 + 5 + 5  # all together; intervals and samples of each that was timed
    assert all(svg[0].tag == "title" and svg[0].text for svg in plots)


def test_every_link_within_the_page_leads_somewhere() -> None:
    attributes = Page(run_html(records.full_run())).attributes
    places = {value for name, value in attributes if name == "id"}
    links = {value[1:] for name, value in attributes if name == "href"}
    assert links
    assert links <= places


def test_no_identifier_is_used_twice() -> None:
    places = [v for name, v in Page(run_html(records.big_run())).attributes if name == "id"]
    assert len(places) == len(set(places))


def test_thirty_experiments_of_a_hundred_pairs_stay_below_150_kb() -> None:
    assert len(run_html(records.big_run()).encode()) < 150_000


def test_the_headline_is_the_measured_effect() -> None:
    assert "3.9 times as fast 1.21 s before, 314 ms after" in words(run_html(records.full_run()))


def test_an_experiment_shows_hypothesis_change_undo() -> None:
    text = words(run_html(records.full_run()))
    assert "Answers f2 : reads 31,000 rows to return 6; 140 calls" in text
    assert "change CREATE INDEX orders_customer ON orders (customer_id, placed_at)" in text
    assert "undo DROP INDEX IF EXISTS orders_customer" in text


def test_the_decision_rule_is_told() -> None:
    run = records.full_run()
    planned = replace(run.experiments[0], min_effect=0.02, max_pairs=100)
    text = words(run_html(replace(run, experiments=(planned, *run.experiments[1:]))))
    assert "a gain of more than 2.0 %" in text
    assert "Error level 0.0063, looks after 22, 40, 60, 80 and 100 pairs, ended after 22." in text


def test_an_error_level_that_no_plan_can_reach_is_told_without_looks() -> None:
    run = records.full_run()
    strict = replace(run.experiments[0], alpha=1e-30)
    text = words(run_html(replace(run, experiments=(strict,))))
    assert "Error level 1e-30, ended after 22." in text


def test_an_experiment_without_measurement_shows_no_number() -> None:
    text = words(run_html(records.full_run()))
    assert "nothing the experiment ended before anything was timed" in text


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_verdict_is_a_word(outcome: Outcome) -> None:
    assert f'<span class="verdict">{outcome.value}</span>' in run_html(records.full_run())


def test_a_profile_has_no_section_of_experiments() -> None:
    text = words(run_html(records.profile_run()))
    assert "What was tried" not in text
    assert "No experiment was run." in text


def test_a_run_that_was_stopped_says_so() -> None:
    stopped = replace(records.full_run(), status=RunStatus.STOPPED)
    assert "The run was stopped early." in words(run_html(stopped))


def test_values_are_hidden_unless_asked_for() -> None:
    assert "TEA-0815" not in words(run_html(records.full_run()))
    assert "TEA-0815" in words(run_html(records.full_run(), mask_literals=False))


def test_light_and_dark_name_the_same_colours() -> None:
    html = run_html(records.empty_run())
    palettes = re.findall(r":root \{(.*?)\}", html, re.DOTALL)
    names = [set(re.findall(r"--(\w+):", palette)) for palette in palettes]
    assert len(names) == 3
    assert names[1] == names[2] == names[0] - {"serif", "sans", "mono"}
