"""A sheet of rows, each computed by the formulas of its columns."""

from __future__ import annotations

import random

from evaluate import value
from grammar import Grammar, Node

FORMULAS = {
    "net": "when(A1 > 0, A1 * B1 - C1, 0)",
    "tax": "(A1 * B1 + (C1 - 2)) * 19 / 100",
    "risk": "max(A1 / (B1 + 1), C1, 3)",
    "share": "sum(A1, (B1 - C1) * 2) / 7",
    "score": "when(max(A1, B1) < C1 * 2, A1 + B1, min(C1, 40))",
}


class Sheet:
    def __init__(self, formulas: dict[str, str]) -> None:
        self.columns: dict[str, Node] = {}
        for name, formula in formulas.items():
            tree = Grammar(formula).comparison(0)
            if tree is None:
                raise ValueError(f"{name}: cannot read {formula}")
            self.columns[name] = tree

    def rows(self, count: int, rng: random.Random) -> list[dict[str, float]]:
        computed = []
        for _ in range(count):
            cells = {name: float(rng.randrange(1, 90)) for name in ("A1", "B1", "C1")}
            computed.append({name: value(tree, cells) for name, tree in self.columns.items()})
        return computed
