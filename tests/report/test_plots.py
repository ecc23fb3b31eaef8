from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from perfwright.report.intervals import Row, forest, intervals, typographic
from perfwright.report.samples import sample_plot
from perfwright.report.scales import ratio_scale, ratio_ticks, value_scale, value_ticks
from perfwright.report.svg import tag
from tests.report import records

POSITIVE = st.floats(min_value=1e-6, max_value=1e6)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("text")]


def row(ratio: float, *, width: float = 0.03, **fields: object) -> Row:
    base = Row(label="x", kind="kept", measured=records.measurement(ratio, width=width))
    return replace(base, **fields)  # type: ignore[arg-type]  # names are checked by replace


def test_attributes_are_escaped() -> None:
    assert tag("a", "<b>", href='"><script>') == ('<a href="&#34;&gt;&lt;script&gt;">&lt;b&gt;</a>')


@given(st.lists(st.floats(min_value=1e-3, max_value=1e3), max_size=8))
def test_a_ratio_scale_always_shows_no_change(ratios: list[float]) -> None:
    scale = ratio_scale(ratios, start=0.0, end=500.0)
    assert scale.holds(1.0)
    assert 1.0 in ratio_ticks(scale, apart=50.0)


@given(st.lists(st.floats(min_value=1e-3, max_value=1e3), max_size=8))
def test_ticks_of_ratios_keep_their_distance(ratios: list[float]) -> None:
    scale = ratio_scale(ratios, start=0.0, end=500.0)
    places = [scale(tick) for tick in ratio_ticks(scale, apart=50.0)]
    assert all(right - left >= 50.0 for left, right in pairwise(places))


@given(st.lists(POSITIVE, min_size=1, max_size=20))
def test_every_value_lies_on_its_scale(values: list[float]) -> None:
    scale = value_scale(values, start=150.0, end=10.0)
    assert all(scale.holds(value) for value in values)
    assert all(9.9 <= scale(value) <= 150.1 for value in values)


@given(st.lists(POSITIVE, min_size=2, max_size=20))
def test_ticks_of_values_are_few(values: list[float]) -> None:
    assume(max(values) > min(values) * 1.001)
    ticks = value_ticks(value_scale(values, start=150.0, end=10.0))
    assert len(ticks) <= 14
    assert ticks == sorted(set(ticks))


def test_values_that_span_decades_get_a_logarithmic_scale() -> None:
    assert value_scale([1.0, 100.0], start=0.0, end=1.0).log
    assert not value_scale([1.0, 1.5], start=0.0, end=1.0).log


def test_equal_values_have_a_scale() -> None:
    assert value_ticks(value_scale([0.0, 0.0], start=150.0, end=10.0))


@pytest.mark.parametrize("bounds", [(1e-6, 1e6), (0.0, math.inf)])
def test_an_interval_that_says_nothing_is_not_drawn(bounds: tuple[float, float]) -> None:
    one = replace(records.measurement(0.9), interval=bounds)
    svg = forest([row(0.9, measured=one)], title="t", min_effect=0.005)
    assert 'class="bar"' not in svg
    assert "too few pairs" in texts(svg)


def test_an_interval_beyond_the_paper_ends_in_an_arrow() -> None:
    wide = forest([row(0.9, width=1.5)], title="t", min_effect=0.005)
    assert wide.count('class="tip"') == 2


def test_minimum_effect_noise_floor_prediction_are_drawn() -> None:
    svg = forest([row(0.9, predicted=0.8, noise_floor=0.02)], title="t", min_effect=0.02)
    assert all(f'class="{kind}"' in svg for kind in ("least", "noise", "guess", "zero"))


def test_an_unknown_noise_floor_is_not_drawn() -> None:
    svg = forest([row(0.9, noise_floor=math.inf)], title="t", min_effect=0.02)
    assert 'class="noise"' not in svg


def test_a_prediction_of_nothing_left_is_not_drawn() -> None:
    assert 'class="guess"' not in forest([row(0.9, predicted=0.0)], title="t", min_effect=0.0)


def test_verdicts_differ_in_form_as_well_as_in_colour() -> None:
    marks = {
        kind: forest([row(0.9, kind=kind)], title="t", min_effect=0.0)
        .partition(f'<g class="{kind}">')[2]
        .partition("</g>")[0]
        for kind in ("kept", "rejected", "inconclusive")
    }
    assert len(set(marks.values())) == 3


def test_a_picture_says_its_numbers_to_a_screen_reader() -> None:
    svg = ET.fromstring(intervals([row(0.9)], title="Effect of e1", min_effect=0.005))
    assert svg.findtext("desc") == "x: -10.0 %, -12.7 to -7.3 %"


def test_samples_keep_the_order_in_which_they_were_taken() -> None:
    rising = tuple((1.0 + place, 2.0 + place) for place in range(5))
    svg = sample_plot(replace(records.full_run().experiments[0], samples=rising))
    path = re.search(r'class="taken b" d="([^"]*)"', svg)
    assert path is not None
    steps = [int(step) for step in re.findall(r"m\d+\s?(-?\d+)z", path[1])]
    assert len(steps) == 5
    assert all(step < 0 for step in steps[1:])  # upwards


def test_one_pair_can_be_drawn() -> None:
    one = replace(records.full_run().experiments[0], samples=((0.2, 0.1),))
    assert "pair 1" in texts(sample_plot(one))


def test_labels_of_equal_medians_do_not_cover_each_other() -> None:
    same = replace(records.full_run().experiments[0], samples=((0.1, 0.1), (0.1, 0.1)))
    places = {
        element.text: float(element.attrib["y"])
        for element in ET.fromstring(sample_plot(same)).iter("text")
        if element.text in {"with", "without"}
    }
    assert abs(places["with"] - places["without"]) >= 28.0


@pytest.mark.parametrize(
    ("text", "set_"),
    [("-5 to -3 %", "−5 to −3\u00a0%"), ("2026-03-02", "2026-03-02"), ("(-1 %)", "(−1\u00a0%)")],  # noqa: RUF001 - a real minus
)
def test_a_minus_is_one_only_before_a_number(text: str, set_: str) -> None:
    assert typographic(text) == set_
