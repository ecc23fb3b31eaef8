"""SVG as nested calls: every text and attribute is escaped on the way in."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape


def tag(name: str, *children: str | Markup, **attributes: str | float) -> Markup:
    """An element; `class_` and `text_anchor` become `class` and `text-anchor`."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), number(value))
        for key, value in attributes.items()
    )
    if not children:
        return Markup("<{}{}/>").format(name, written)
    body = Markup("").join(map(escape, children))
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, body)


def number(value: str | float) -> str:
    """A coordinate with one digit at most: a tenth of a pixel is less than anyone sees."""
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def picture(
    *, title: str, description: str = "", size: tuple[float, float], parts: Iterable[Markup]
) -> Markup:
    """A whole picture.

    With a description it is one image to a screen reader; without one its texts are read.
    """
    width, height = size
    return tag(
        "svg",
        tag("title", title),
        *([tag("desc", description)] if description else []),
        *parts,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img" if description else "group",
    )


def lines(class_: str, places: Iterable[tuple[float, float, str]]) -> Markup:
    """Straight lines in one path: from a point on, to where `V90` or `H90` leads."""
    path = "".join(f"M{x:.0f} {y:.0f}{to}" for x, y, to in places)
    return tag("path", class_=class_, d=path)


def labels(class_: str, texts: Iterable[tuple[float, float, str]]) -> Markup:
    """Texts of one kind in one group."""
    return tag(
        "g", *(tag("text", text, x=round(x), y=round(y)) for x, y, text in texts), class_=class_
    )
