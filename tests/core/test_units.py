"""Quantities as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import (
    Dimension,
    GrammarError,
    Quantity,
    format_duration,
    format_percent,
    format_quantity,
    format_size,
    parse_quantity,
)
from perfwright.core.units import spell_quantity


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("200ms", 0.2, Dimension.TIME),
        ("750us", 0.00075, Dimension.TIME),
        ("1.5s", 1.5, Dimension.TIME),
        ("30m", 1800.0, Dimension.TIME),
        ("2min", 120.0, Dimension.TIME),
        ("2h", 7200.0, Dimension.TIME),
        ("512B", 512.0, Dimension.SIZE),
        ("1kB", 1000.0, Dimension.SIZE),
        ("1KiB", 1024.0, Dimension.SIZE),
        ("1.5GiB", 1.5 * 2**30, Dimension.SIZE),
        ("$2", 2.0, Dimension.MONEY),
        ("$2k", 2000.0, Dimension.MONEY),
        ("100k", 100_000.0, Dimension.COUNT),
        ("7", 7.0, Dimension.COUNT),
        ("-30%", -0.3, Dimension.SHARE),
        ("  5s  ", 5.0, Dimension.TIME),
        ("5MS", 0.005, Dimension.TIME),
    ],
)
def test_a_quantity_is_read_into_its_base_unit(
    text: str, value: float, dimension: Dimension
) -> None:
    quantity = parse_quantity(text)
    assert quantity.value == pytest.approx(value)
    assert quantity.dimension is dimension


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 0, "a number"),
        ("fast", 0, "a number"),
        ("-", 0, "a number"),
        ("200mss", 3, "a unit"),
        ("200 ms", 3, "nothing more"),
        ("1.5.5s", 3, "nothing more"),
        ("1e6", 1, "a unit"),
        ("$5ms", 2, "no unit after dollars"),
        ("$5%", 2, "no unit after dollars"),
        ("9" * 400, 0, "a smaller number"),
    ],
)
def test_a_wrong_quantity_is_refused_with_the_place(
    text: str, position: int, expected: str
) -> None:
    with pytest.raises(GrammarError) as caught:
        parse_quantity(text)
    assert caught.value.position == position
    assert expected in caught.value.expected


def test_the_marker_of_the_message_stands_under_the_wrong_place() -> None:
    with pytest.raises(GrammarError) as caught:
        parse_quantity("p95<200mss", what="goal", position=4)
    _, text, marker = str(caught.value).split("\n")
    assert text[marker.index("^") :] == "mss"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (1e-9, "0.001us"),
        (2.5e-5, "25us"),
        (0.0123, "12.3ms"),
        (0.9996, "1s"),
        (0.0009996, "1ms"),
        (4.5678, "4.57s"),
        (59.99, "1m"),
        (125.0, "2m05s"),
        (119.7, "2m"),
        (1800.0, "30m"),
        (-0.5, "-500ms"),
        (-125.0, "-2m05s"),
    ],
)
def test_durations_are_shown_with_three_digits(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(min_value=0.0, max_value=1e7))
def test_durations_are_never_shown_with_an_exponent(seconds: float) -> None:
    text = format_duration(seconds)
    assert "e+" not in text
    assert text.endswith(("s", "m"))


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (512, "512B"), (1536, "1.5KiB"), (2**20, "1.0MiB"), (5 * 2**40, "5120.0GiB")],
)
def test_sizes_are_shown_in_binary_units(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (0.2, Dimension.TIME, "200ms"),
        (2**20, Dimension.SIZE, "1.0MiB"),
        (2.5, Dimension.MONEY, "$2.50"),
        (-0.3, Dimension.SHARE, "-30%"),
        (200, Dimension.COUNT, "200"),
    ],
)
def test_each_dimension_is_shown_in_its_own_unit(
    value: float, dimension: Dimension, text: str
) -> None:
    assert format_quantity(Quantity(value, dimension)) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.123, "+12.3 %"), (-0.005, "-0.5 %"), (0.0, "+0.0 %")]
)
def test_a_signed_percentage_always_shows_its_sign(share: float, text: str) -> None:
    assert format_percent(share, signed=True) == text


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (5400.0, Dimension.TIME, "90m"),
        (7200.0, Dimension.TIME, "2h"),
        (125.0, Dimension.TIME, "125s"),
        (0.2, Dimension.TIME, "200ms"),
        (2.0**30, Dimension.SIZE, "1GiB"),
        (2e9, Dimension.SIZE, "2GB"),
        (0.5, Dimension.MONEY, "$0.5"),
        (1e6, Dimension.COUNT, "1000k"),
        (-0.3, Dimension.SHARE, "-30%"),
    ],
)
def test_a_quantity_is_spelled_in_the_unit_that_makes_it_a_whole_number(
    value: float, dimension: Dimension, text: str
) -> None:
    assert spell_quantity(Quantity(value, dimension)) == text


@given(
    number=st.decimals(min_value=-10_000, max_value=10_000_000, places=4),
    unit=st.sampled_from(
        ["us", "ms", "s", "m", "h", "B", "kB", "MB", "GB", "KiB", "MiB", "GiB", "%", "", "k"]
    ),
)
def test_a_spelled_quantity_reads_back_as_the_same(number: object, unit: str) -> None:
    quantity = parse_quantity(f"{number:f}{unit}")
    assert parse_quantity(spell_quantity(quantity)) == quantity
