"""Plots of ratios with their intervals: a row for each experiment or guardrail."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from perfwright.core import Measurement
from perfwright.report import wording
from perfwright.report.scales import Scale, ratio_scale, ratio_ticks
from perfwright.report.svg import labels, lines, number, picture, tag

WIDTH = 760.0
ROW = 30.0
TOP = 26.0
PLOT = (244.0, 556.0)
"""Left and right end of the scale between names and numbers."""
ALONE = (150.0, 740.0)
"""The same where the numbers stand in the text."""
_CHARACTER = 7.2
"""Width of a character of a name, for fonts as wide as any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of an interval plot."""

    label: str
    kind: str
    """How it is drawn: a verdict, or `guard`."""
    measured: Measurement | None
    predicted: float | None = None
    noise_floor: float | None = None
    link: str = ""
    absent: str = "not measured"
    """What stands in place of the interval when there is none."""


def typographic(text: str) -> str:
    """Set a real minus before numbers and keep numbers and units together."""
    signed = "".join(
        "\N{MINUS SIGN}"
        if char == "-" and text[place + 1 : place + 2].isdigit() and _opens(text, place)
        else char
        for place, char in enumerate(text)
    )
    return signed.replace(" %", "\N{NO-BREAK SPACE}%")


def _opens(text: str, place: int) -> bool:
    return place == 0 or text[place - 1] in " ("


def forest(rows: Sequence[Row], *, title: str, min_effect: float) -> Markup:
    """Draw the interval of every row on one scale of ratios, its numbers behind it.

    The line is no change, the dashes are the smallest gain that counts, the grey band around the
    line is the noise floor of that row, a hollow diamond is what was predicted.
    """
    return _plot(rows, title=title, min_effect=min_effect, span=PLOT)


def intervals(rows: Sequence[Row], *, title: str, min_effect: float) -> Markup:
    """Draw the same for one experiment and its guardrails, larger and without numbers."""
    spoken = "; ".join(map(_spoken, rows))
    return _plot(rows, title=title, min_effect=min_effect, span=ALONE, description=spoken)


def _plot(
    rows: Sequence[Row],
    *,
    title: str,
    min_effect: float,
    span: tuple[float, float],
    description: str = "",
) -> Markup:
    scale = ratio_scale(_values(rows), start=span[0], end=span[1])
    bottom = TOP + ROW * len(rows)
    middles = [TOP + ROW * place + ROW / 2.0 for place in range(len(rows))]
    parts = [
        *(
            part
            for row, middle in zip(rows, middles, strict=True)
            for part in _noise(row, scale, middle=middle)
        ),
        *_ratio_axis(scale, bottom=bottom, min_effect=min_effect),
    ]
    for row, middle in zip(rows, middles, strict=True):
        parts += _row(row, scale, middle=middle)
    if not description:
        parts += _numbers(rows, middles)
    return picture(title=title, description=description, size=(WIDTH, bottom + 8.0), parts=parts)


def _values(rows: Sequence[Row]) -> Iterator[float]:
    """What the scale should hold; a wide interval may run out of it, an estimate may not."""
    for row in rows:
        if row.predicted is not None:
            yield row.predicted
        if row.measured is not None:
            low, high = row.measured.interval
            yield row.measured.ratio
            yield max(low, row.measured.ratio / 1.6)
            yield min(high, row.measured.ratio * 1.6)


def _spoken(row: Row) -> str:
    if row.measured is None:
        return f"{row.label}: {row.absent}"
    return f"{row.label}: {wording.change(row.measured.ratio)}, {wording.interval(row.measured)}"


def _ratio_axis(scale: Scale, *, bottom: float, min_effect: float) -> Iterator[Markup]:
    down = f"V{number(bottom)}"
    places = [(scale(ratio), ratio) for ratio in ratio_ticks(scale, apart=52.0)]
    yield lines("grid", [(at, TOP, down) for at, ratio in places if ratio != 1.0])
    yield lines("zero", [(scale(1.0), TOP, down)])
    if min_effect > 0.0 and scale.holds(1.0 - min_effect):
        yield lines("least", [(scale(1.0 - min_effect), TOP, down)])
    yield labels("tick", [(at, TOP - 9.0, _tick(ratio)) for at, ratio in places])


def _tick(ratio: float) -> str:
    value = (ratio - 1.0) * 100.0
    if ratio == 1.0:
        return "no change"
    return typographic(f"{value:+.3g} %") if value < 150.0 else f"{ratio:g}\N{MULTIPLICATION SIGN}"


def _noise(row: Row, scale: Scale, *, middle: float) -> Iterator[Markup]:
    if row.noise_floor is not None and math.isfinite(row.noise_floor):
        left, right = scale(1.0 / (1.0 + row.noise_floor)), scale(1.0 + row.noise_floor)
        yield tag("path", class_="noise", d=f"M{number(left)} {middle:.0f}H{number(right)}")


def _row(row: Row, scale: Scale, *, middle: float) -> Iterator[Markup]:
    width = int((scale.start - 14.0) / _CHARACTER)
    name = wording.shorten(wording.plain(row.label), width, mark="\N{HORIZONTAL ELLIPSIS}")
    label = tag("text", name, y=middle + 4.0)
    yield tag("a", label, href=row.link) if row.link else label
    if row.measured is not None:
        yield tag(
            "g", *_interval(row.measured, scale, middle=middle, kind=row.kind), class_=row.kind
        )
    if row.predicted is not None and row.predicted > 0.0:
        d = f"M{number(scale(row.predicted))} {middle - 6:.0f}l5 6-5 6-5-6z"
        yield tag("path", class_="guess", d=d)


def _numbers(rows: Sequence[Row], middles: Sequence[float]) -> Iterator[Markup]:
    effects, bounds = [], []
    for row, middle in zip(rows, middles, strict=True):
        text = row.absent
        if row.measured is not None:
            text = wording.interval(row.measured)
            effect = typographic(wording.change(row.measured.ratio))
            effects.append((WIDTH - 124.0, middle + 4.0, effect))
        bounds.append((WIDTH, middle + 4.0, typographic(text)))
    yield labels("num", effects)
    yield labels("sub", bounds)


def _interval(measured: Measurement, scale: Scale, *, middle: float, kind: str) -> Iterator[Markup]:
    low, high = (scale(bound) for bound in measured.interval)
    if wording.bounded(measured):
        yield tag("path", class_="bar", d=f"M{number(low)} {number(middle)}H{number(high)}")
        for bound, place, step in zip(measured.interval, (low, high), (5, -5), strict=True):
            if not scale.holds(bound):  # it goes on beyond the paper
                tip = f"M{number(place + step)} {number(middle - 4)}l{-step} 4l{step} 4"
                yield tag("path", class_="tip", d=tip)
    yield _mark(kind, at=scale(measured.ratio), middle=middle)


def _mark(kind: str, *, at: float, middle: float) -> Markup:
    """The estimate; its form repeats what the colour says."""
    if kind == "rejected":
        d = f"M{number(at - 4)} {middle - 4:.0f}l8 8m0-8l-8 8"
        return tag("path", class_="cross", d=d)
    if kind == "kept":
        return tag("path", class_="dot", d=f"M{number(at)} {middle:.0f}z")
    return tag("circle", class_="hollow", cx=at, cy=middle, r=3.5)
