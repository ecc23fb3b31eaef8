"""A diagram of several curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pen import pen
from scales import linear, smooth, ticks

COLOURS = ("#246", "#a40", "#383", "#727")


def draw(values: Sequence[float], colour: str, width: float, height: float) -> str:
    across, down = linear(range(len(values)), 0, width), linear(values, height, 0)
    points = ((across(at), down(value)) for at, value in enumerate(values))
    hand = pen(colour)
    hand.move_to(*next(points))
    for x, y in points:
        hand.line_to(x, y)
    return hand.close()


def axis(values: Sequence[float], height: float) -> Iterator[str]:
    place = linear(values, height, 0)
    for each in ticks(values, 8):
        yield f'<text x="-4" y="{place(each):.1f}">{each:g}</text>'


def diagram(series: Sequence[Sequence[float]], *, width: float = 2400, height: float = 900) -> str:
    parts = [f'<svg viewBox="-40 0 {width + 40:g} {height:g}">']
    for colour, values in zip(COLOURS, series, strict=False):
        softer = smooth(values, 0.3)
        parts.extend(axis(softer, height))
        parts.append(draw(softer, colour, width, height))
    return "\n".join([*parts, "</svg>"])
