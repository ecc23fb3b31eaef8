"""The values of formulas."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import reduce

from grammar import Node

SIGNS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda left, right: left / right if right else 0.0,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
}
CALLS: dict[str, Callable[..., float]] = {
    "max": max,
    "min": min,
    "sum": lambda *values: sum(values),
    "mean": lambda *values: sum(values) / len(values),
    "when": lambda test, yes, no: yes if test else no,
}


def value(node: Node, cells: Mapping[str, float]) -> float:
    if node.kind == "value":
        return cells[node.text] if node.text[0].isalpha() else float(node.text)
    parts = [value(part, cells) for part in node.parts]
    if node.kind == "call":
        return CALLS[node.text](*parts)
    return reduce(SIGNS[node.kind], parts) if node.kind in SIGNS else parts[0]
