"""Quantities with units, as people write them: `30m`, `1.5GiB`, `$2`, `200ms`, `30%`."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from perfwright.core.errors import GrammarError


class Dimension(StrEnum):
    """What a quantity measures."""

    TIME = "time"
    SIZE = "size"
    MONEY = "money"
    COUNT = "count"
    SHARE = "share"


class Quantity(NamedTuple):
    """A number in the base unit of its dimension: seconds, bytes, dollars, pieces, 0 to 1."""

    value: float
    dimension: Dimension


_UNITS = {
    "us": (1e-6, Dimension.TIME),
    "ms": (1e-3, Dimension.TIME),
    "s": (1.0, Dimension.TIME),
    "m": (60.0, Dimension.TIME),
    "min": (60.0, Dimension.TIME),
    "h": (3600.0, Dimension.TIME),
    "b": (1.0, Dimension.SIZE),
    "kb": (1e3, Dimension.SIZE),
    "mb": (1e6, Dimension.SIZE),
    "gb": (1e9, Dimension.SIZE),
    "kib": (2.0**10, Dimension.SIZE),
    "mib": (2.0**20, Dimension.SIZE),
    "gib": (2.0**30, Dimension.SIZE),
    "%": (0.01, Dimension.SHARE),
    "": (1.0, Dimension.COUNT),
    "k": (1e3, Dimension.COUNT),
}
_QUANTITY = re.compile(r"\s*(?P<money>\$)?(?P<number>-?\d+(?:\.\d+)?)(?P<unit>[A-Za-z%]*)")


def parse_quantity(text: str, *, what: str = "quantity", position: int = 0) -> Quantity:
    """Read one quantity that fills all of `text` from `position` on.

    Raises:
        GrammarError: With the place at which reading stopped.
    """
    match = _QUANTITY.match(text, position)
    if match is None:
        raise GrammarError(what=what, text=text, position=position, expected="a number")
    unit = match["unit"].lower()
    if unit not in _UNITS:
        known = ", ".join(name for name in _UNITS if name)
        raise GrammarError(
            what=what, text=text, position=match.start("unit"), expected=f"a unit ({known})"
        )
    if text[match.end() :].strip():
        raise GrammarError(what=what, text=text, position=match.end(), expected="nothing more")
    factor, dimension = _UNITS[unit]
    if match["money"]:
        if dimension is not Dimension.COUNT:
            raise GrammarError(
                what=what, text=text, position=match.start("unit"), expected="no unit after dollars"
            )
        dimension = Dimension.MONEY
    value = float(match["number"]) * factor
    if math.isinf(value):
        raise GrammarError(
            what=what, text=text, position=match.start("number"), expected="a smaller number"
        )
    return Quantity(value, dimension)


_SPELLINGS = {
    Dimension.TIME: ("h", "m", "s", "ms", "us"),
    Dimension.SIZE: ("GiB", "GB", "MiB", "MB", "KiB", "kB", "B"),
    Dimension.MONEY: ("",),
    Dimension.COUNT: ("k", ""),
    Dimension.SHARE: ("%",),
}
"""Units that are tried in this order for a whole number of them."""

_BASE_UNITS = {Dimension.TIME: "s", Dimension.SIZE: "B", Dimension.SHARE: "%"}


def spell_quantity(quantity: Quantity) -> str:
    """Write a quantity so that `parse_quantity` reads the very same one: `90m`, `$0.5`."""
    sign = "$" if quantity.dimension is Dimension.MONEY else ""
    for unit in _SPELLINGS[quantity.dimension]:
        factor = _UNITS[unit.lower()][0]
        whole = round(quantity.value / factor)
        if whole and whole * factor == quantity.value:
            return f"{sign}{whole}{unit}"
    share = quantity.dimension is Dimension.SHARE
    number = Decimal(repr(_percent(quantity.value) if share else quantity.value))
    return f"{sign}{number:f}{_BASE_UNITS.get(quantity.dimension, '')}"


def _percent(share: float) -> float:
    """The number of percent that reads back as `share`: rounding may have moved it by a bit."""
    near = share * 100.0
    candidates = (near, math.nextafter(near, math.inf), math.nextafter(near, -math.inf))
    return next((number for number in candidates if number * 0.01 == share), near)


def format_duration(seconds: float) -> str:
    """Render a duration with three significant digits: `12.3ms`, `4.56s`, `2m05s`, `30m`."""
    magnitude = abs(seconds)
    sign = "-" if seconds < 0 else ""
    if magnitude >= 59.95:
        minutes, rest = divmod(round(magnitude), 60)
        return f"{sign}{minutes}m{rest:02d}s" if rest else f"{sign}{minutes}m"
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        rounded = float(f"{magnitude * factor:.3g}")
        if rounded >= 1.0:
            return f"{sign}{rounded:.4g}{unit}"
    return f"{sign}{magnitude * 1e6:.3g}us" if magnitude else "0s"


def format_size(size_bytes: float) -> str:
    """Render a size in binary units: `512B`, `1.5MiB`."""
    value = float(size_bytes)
    for unit in ("B", "KiB", "MiB"):
        if abs(value) < 1024:
            return f"{value:.0f}{unit}" if unit == "B" else f"{value:.1f}{unit}"
        value /= 1024
    return f"{value:.1f}GiB"


def format_quantity(quantity: Quantity) -> str:
    """Render a quantity in the unit that people would write it in."""
    match quantity.dimension:
        case Dimension.TIME:
            return format_duration(quantity.value)
        case Dimension.SIZE:
            return format_size(quantity.value)
        case Dimension.MONEY:
            return f"${quantity.value:.2f}"
        case Dimension.SHARE:
            return f"{quantity.value * 100:.3g}%"
        case Dimension.COUNT:
            return f"{quantity.value:g}"


def format_percent(share: float, *, digits: int = 1, signed: bool = False) -> str:
    """Render a share as `12.3 %`, with its sign when it is a change."""
    return f"{share * 100:{'+' if signed else ''}.{digits}f} %"


def is_number(value: object) -> bool:
    """Return whether a setting is a number, for callers whose types nobody has checked."""
    return isinstance(value, int | float) and not isinstance(value, bool)
