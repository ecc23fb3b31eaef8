"""Numbers and names as people read them: the words that all reports share.

Plain ASCII but for what the user wrote, so that every terminal can show it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace

from perfwright.core import GrammarError, Measurement, Resource, format_amount, parse_budget

WIDEST = 1e5
"""A bound beyond this ratio (or below its inverse) says only that there were too few pairs."""

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_BYTES = frozenset({"B", "byte", "bytes"})
_SPENT = {
    "seconds": Resource.TIME,
    "dollars": Resource.MONEY,
    "bytes": Resource.STORAGE,
    **{resource.value: resource for resource in Resource},
}
_SPENDING = {"experiments": "experiments tried", "storage": "storage of what was kept"}
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_SPACES = re.compile(r"\s+")


def plain(text: str) -> str:
    """Put `text` on one line; what a terminal would obey, or a reader not see, becomes a mark."""
    return "".join(map(_visible, _SPACES.sub(" ", text).strip()))


def plain_lines(text: str) -> str:
    """Like `plain`, but lines and indentation stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ").split("\n")
    return "\n".join("".join(map(_visible, line)).rstrip() for line in lines).strip("\n")


def _visible(char: str) -> str:
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in _INVISIBLE else char


def shorten(text: str, width: int, *, mark: str = " ... ") -> str:
    """Cut the middle out of `text`: both the kind of a statement and its end tell it apart."""
    if len(text) <= width:
        return text
    room = max(width - len(mark), 2)
    head = (room * 3 + 2) // 5
    return f"{text[:head].rstrip()}{mark}{text[len(text) - (room - head) :].lstrip()}"


def significant(value: float) -> str:
    """Three significant digits, thousands separated, never an exponent above 1e-4."""
    if not math.isfinite(value):
        return "not known"
    magnitude = abs(value)
    if magnitude >= 99.95:
        return f"{value:,.0f}"
    if magnitude >= 9.995:
        return f"{value:.1f}"
    if magnitude >= 0.9995:
        return f"{value:.2f}"
    return f"{value:.3g}"


def amount(value: float, unit: str) -> str:
    """A value with its unit, the unit chosen so that the number stays short: `1.42 s`."""
    if unit in _SECONDS:
        return _duration(value * _SECONDS[unit])
    if unit in _BYTES:
        return _size(value)
    if unit in {"usd", "$"}:
        return f"${value:,.2f}"
    return f"{significant(value)} {unit}".rstrip()


def _duration(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "not known"
    magnitude = abs(seconds)
    if magnitude >= 119.5:
        minutes, rest = divmod(round(magnitude), 60)
        return f"{'-' if seconds < 0 else ''}{minutes:,} min {rest:02d} s"
    if magnitude >= 0.9995 or magnitude == 0.0:
        return f"{significant(seconds)} s"
    factor, unit = (1e3, "ms") if magnitude >= 0.9995e-3 else (1e6, "us")
    return f"{significant(seconds * factor)} {unit}"


def _size(size_bytes: float) -> str:
    value, unit = size_bytes, "B"
    for larger in ("KiB", "MiB", "GiB"):
        if abs(value) < 1023.5:
            break
        value, unit = value / 1024.0, larger
    return f"{value:.0f} B" if unit == "B" else f"{significant(value)} {unit}"


def unit_of(measured: Measurement) -> str:
    """The unit of the medians; memory is counted in bytes whatever the record says."""
    is_size = measured.metric == "memory" or measured.metric.endswith("bytes")
    return "B" if is_size and measured.unit in _SECONDS else measured.unit


def percent(share: float) -> str:
    """A share of 0 to 1: `12.3 %`; small ones keep a second digit."""
    if not math.isfinite(share):
        return "not known"
    value = share * 100.0
    return f"{value:,.{2 if 0.0 < abs(value) < 1.0 else 1 if abs(value) < 1000 else 0}f} %"


def change(ratio: float) -> str:
    """What a ratio does to a value: `-12.3 %`, `+4.0 %`; two digits where a tenth hides it."""
    if not math.isfinite(ratio):
        return "not known"
    value = (ratio - 1.0) * 100.0
    digits = 2 if abs(value) < 1.0 or 98.0 < -value < 100.0 else 1
    return f"{value:+,.{digits if abs(value) < 1000.0 else 0}f} %"


def bounded(measured: Measurement) -> bool:
    """Whether the samples sufficed for an interval at all."""
    low, high = measured.interval
    return low > 1.0 / WIDEST and high < WIDEST


def interval(measured: Measurement) -> str:
    """The bounds as changes: `-14.9 to -9.8 %`."""
    if not bounded(measured):
        return "too few pairs"
    low, high = measured.interval
    return f"{change(low).removesuffix(' %')} to {change(high)}"


def confidence(measured: Measurement) -> str:
    """The confidence of the interval: `99 %`."""
    return f"{measured.confidence * 100.0:.4g} %"


def pairs(measured: Measurement) -> str:
    """How much an interval rests on: `99 % interval, 40 pairs`."""
    return f"{confidence(measured)} interval, {measured.pairs} pairs"


def effect(measured: Measurement) -> str:
    """The effect in words: `12.3 % faster`, `8.4 times as fast`, `3.0 % less`."""
    better, worse, multiple = _words(measured)
    ratio = measured.ratio
    if ratio <= 0.5 and multiple and ratio > 0.0:
        return f"{_times(1.0 / ratio)} times as fast"
    if ratio >= 2.0:
        return f"{_times(ratio)} times as much{' time' if multiple else ''}"
    return f"{percent(abs(1.0 - ratio))} {better if ratio <= 1.0 else worse}"


def effect_range(measured: Measurement) -> str:
    """The bounds in the words of `effect`: `9.8 % to 14.9 %`."""
    if not bounded(measured):
        return "bounds not known"
    low, high = measured.interval
    ratio = measured.ratio
    if ratio <= 0.5 and _words(measured)[2] and low > 0.0:
        return f"{_times(1.0 / high)} to {_times(1.0 / low)} times"
    if ratio >= 2.0:
        return f"{_times(low)} to {_times(high)} times"
    near, far = (1.0 - high, 1.0 - low) if ratio <= 1.0 else (low - 1.0, high - 1.0)
    return f"{percent(near)} to {percent(far)}"


def _words(measured: Measurement) -> tuple[str, str, bool]:
    is_time = unit_of(measured) in _SECONDS
    return ("faster", "slower", True) if is_time else ("less", "more", False)


def _times(factor: float) -> str:
    return f"{factor:,.0f}" if factor >= 99.5 else f"{factor:.1f}"


def spending(spent: Mapping[str, float], *, budget: str) -> list[tuple[str, str]]:
    """What a run used: a name for each resource, and the amount in its unit with its own cap."""
    try:
        caps = parse_budget(budget).caps if budget else {}
    except GrammarError:  # of another version
        return [*spending(spent, budget=""), ("budget", plain(budget))]
    found = []
    for name, value in spent.items():
        cap = caps.get(_SPENT[name]) if name in _SPENT else None
        most = "" if cap is None else f" of at most {_spent(name, cap)}"
        found.append((_SPENDING.get(name, f"{plain(name)} spent"), f"{_spent(name, value)}{most}"))
    return found


def _spent(name: str, value: float) -> str:
    match _SPENT.get(name):
        case None:
            return significant(value)
        case Resource.TIME:
            return _duration(value)
        case Resource.STORAGE:
            return _size(value)
        case resource:
            return format_amount(resource, value)


def counted(count: int, noun: str) -> str:
    """A number with its noun: `1 finding`, `3 findings`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def mirrored(measured: Measurement) -> Measurement:
    """The same effect seen from the other side: A against B."""
    low, high = measured.interval
    return replace(
        measured,
        ratio=1.0 / measured.ratio,
        interval=(1.0 / high, 1.0 / low),
        baseline=measured.treatment,
        treatment=measured.baseline,
    )
