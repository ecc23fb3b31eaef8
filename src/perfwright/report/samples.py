"""The samples of one experiment as they were taken: what no summary can show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from markupsafe import Markup

from perfwright.core import ExperimentRecord
from perfwright.report import wording
from perfwright.report.intervals import WIDTH
from perfwright.report.scales import Scale, value_scale, value_ticks
from perfwright.report.svg import labels, lines, number, picture, tag

LEFT, RIGHT = 64.0, 640.0
TOP, BOTTOM = 10.0, 150.0


def sample_plot(record: ExperimentRecord) -> Markup:
    """Draw what was measured pair by pair, without (dashes) and with the change (dots)."""
    values = [value for pair in record.samples for value in pair]
    unit = wording.unit_of(record.measured) if record.measured else "s"
    up = value_scale(values, start=BOTTOM, end=TOP)
    step = (RIGHT - LEFT) / max(len(record.samples), 1)
    sides = [[pair[side] for pair in record.samples] for side in (0, 1)]
    parts = [*_value_axis(up, unit), _pair_axis(len(record.samples), step)]
    ends = _apart([up(median(side)) for side in sides], least=34.0)
    for kind, label, side, end in zip("ab", ("without", "with"), sides, ends, strict=True):
        at = up(median(side))
        parts += [
            lines(f"median {kind}", [(LEFT, at, f"H{number(RIGHT)}")]),
            tag("path", class_=f"taken {kind}", d=_points(side, up, step=step, dash=kind == "a")),
            _median_label(kind, label, value=wording.amount(median(side), unit), at=end),
        ]
    return picture(
        title=f"{len(record.samples)} pairs in the order taken",
        description=(
            f"Median without the change {wording.amount(median(sides[0]), unit)}, "
            f"with it {wording.amount(median(sides[1]), unit)}; "
            f"{'logarithmic' if up.log else 'linear'} scale."
        ),
        size=(WIDTH, BOTTOM + 34.0),
        parts=parts,
    )


def _median_label(kind: str, label: str, *, value: str, at: float) -> Markup:
    name = tag("text", label, class_=f"side {kind}", x=RIGHT + 10.0, y=round(at) - 2)
    return name + tag("text", value, class_="strong", x=RIGHT + 10.0, y=round(at) + 13)


def _points(values: Sequence[float], up: Scale, *, step: float, dash: bool) -> str:
    """One path for all points: a mark of its own for each took four times the bytes.

    Moves are relative, from whole number to whole number so that roundings do not add up; what
    is closed where it began (`z`) has no length and shows as its round cap.
    """
    width, mark = (5, "h5") if dash else (0, "z")
    marks = []
    x = y = 0
    for place, value in enumerate(values):
        left = round(LEFT + step * (place + 0.5) - width / 2.0)
        height = round(up(value))
        marks.append(f"m{left - x} {height - y}{mark}".replace(" -", "-"))
        x, y = left + width, height
    return "".join(marks)


def _value_axis(up: Scale, unit: str) -> Iterator[Markup]:
    places = [(up(value), wording.amount(value, unit)) for value in value_ticks(up)]
    yield lines("grid", [(LEFT, at, f"H{number(RIGHT)}") for at, _ in places])
    yield labels("tick end", [(LEFT - 8.0, at + 4.0, label) for at, label in places])


def _pair_axis(pairs: int, step: float) -> Markup:
    every = next(size for size in (5, 10, 20, 50, 100, 500, 10**9) if pairs / size <= 4)
    places = (1, *range(every, pairs + 1, every))
    names = ("pair 1", *map(str, places[1:]))
    return labels(
        "tick",
        (
            (LEFT + step * (pair - 0.5), BOTTOM + 20.0, name)
            for pair, name in zip(places, names, strict=True)
        ),
    )


def _apart(places: Sequence[float], *, least: float) -> list[float]:
    """Move two labels apart until both can be read, and keep them on the paper."""
    first, second = places
    gap = abs(first - second)
    if gap < least:
        push = (least - gap) / 2.0 * (1.0 if first > second else -1.0)
        first, second = first + push, second - push
    low, high = TOP + 4.0, BOTTOM - 6.0
    shift = max(low - min(first, second), 0.0) or min(high - max(first, second), 0.0)
    return [first + shift, second + shift]
