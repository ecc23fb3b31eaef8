"""Goals and guardrails: `METRIC[{selector}] OP VALUE`, such as `p95{route=/checkout}<200ms`.

A value with a `%` is relative to the baseline of the same run: `llm_cost<=-30%` asks for a
third less, `write_time<=+10%` allows a tenth more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from perfwright.core.errors import GrammarError
from perfwright.core.units import Dimension, Quantity, parse_quantity, spell_quantity

_METRIC = re.compile(r"\s*([a-z][a-z0-9_.]*)", re.IGNORECASE)
_SELECTOR = re.compile(r"\{([^{}]*)\}")
_OPERATOR = re.compile(r"\s*(<=|>=|<|>|=)\s*")
_SIGN = re.compile(r"\+(?!\s*-)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A level that a metric shall reach (a goal) or shall not leave (a guardrail)."""

    metric: str
    operator: str
    value: Quantity
    selector: Mapping[str, str] = field(default_factory=dict)
    text: str
    """What the user wrote; shown in reports."""

    @property
    def relative(self) -> bool:
        """Whether the value is a change against the baseline and not a level."""
        return self.value.dimension is Dimension.SHARE

    def met(self, *, value: float, baseline: float | None = None) -> bool:
        """Say whether `value` (base units) meets the goal.

        Raises:
            ValueError: If the goal is relative and no baseline is given.
        """
        bound = self.value.value
        if self.relative:
            if baseline is None:
                raise ValueError(f"{self.text!r} is relative, but there is no baseline")
            bound = baseline * (1.0 + bound)
        match self.operator:
            case "<":
                return value < bound
            case "<=":
                return value <= bound
            case ">":
                return value > bound
            case ">=":
                return value >= bound
            case _:
                return value == bound

    def __str__(self) -> str:
        """The goal in its own grammar."""
        selector = ",".join(f"{key}={value}" for key, value in self.selector.items())
        bound = spell_quantity(self.value)
        return f"{self.metric}{f'{{{selector}}}' if selector else ''}{self.operator}{bound}"


def parse_goal(text: str, *, what: str = "goal") -> Goal:
    """Read one goal.

    Raises:
        GrammarError: With a marker under the place that is wrong.
    """
    metric = _METRIC.match(text)
    if metric is None:
        raise GrammarError(what=what, text=text, position=0, expected="a metric such as p95")
    position = metric.end()
    selector: dict[str, str] = {}
    if text[position : position + 1] == "{":
        selector, position = _parse_selector(text, position=position, what=what)
    operator = _OPERATOR.match(text, position)
    if operator is None:
        raise GrammarError(what=what, text=text, position=position, expected="one of < <= > >= =")
    start = operator.end()
    sign = _SIGN.match(text, start)
    value = parse_quantity(text, what=what, position=sign.end() if sign else start)
    if value.dimension is not Dimension.SHARE and value.value < 0:
        raise GrammarError(what=what, text=text, position=start, expected="a level above zero")
    return Goal(
        metric=metric[1].lower(), operator=operator[1], value=value, selector=selector, text=text
    )


def _parse_selector(text: str, *, position: int, what: str) -> tuple[dict[str, str], int]:
    match = _SELECTOR.match(text, position)
    if match is None:
        raise GrammarError(what=what, text=text, position=position, expected="a closing }")
    selector: dict[str, str] = {}
    offset = match.start(1)
    for part in match[1].split(","):
        key, equals, value = part.partition("=")
        if not (equals and key.strip() and value.strip()):
            raise GrammarError(what=what, text=text, position=offset, expected="key=value")
        if key.strip() in selector:
            raise GrammarError(
                what=what, text=text, position=offset, expected=f"{key.strip()} only once"
            )
        selector[key.strip()] = value.strip()
        offset += len(part) + 1
    return selector, match.end()
