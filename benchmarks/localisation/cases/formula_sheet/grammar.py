"""The formulas of a sheet, as a grammar that is read from the left."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

WORD = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([A-Z]+\d+)|(\w+)(?=\()|(<=|[-+*/<>(),]))")


@dataclass(frozen=True, slots=True)
class Node:
    kind: str
    parts: tuple[Node, ...]
    end: int
    text: str = ""


Rule = Callable[[int], "Node | None"]


class Grammar:
    def __init__(self, formula: str) -> None:
        self.words = [match[match.lastindex] for match in WORD.finditer(formula)]

    def sign(self, at: int) -> str:
        return self.words[at] if at < len(self.words) else ""

    def comparison(self, at: int) -> Node | None:
        return self.chain(at, ("<", ">", "<="), self.total)

    def total(self, at: int) -> Node | None:
        return self.chain(at, ("+", "-"), self.product)

    def product(self, at: int) -> Node | None:
        return self.chain(at, ("*", "/"), self.operand)

    def chain(self, at: int, signs: tuple[str, ...], below: Rule) -> Node | None:
        for sign in signs:
            left = below(at)
            if left is not None and self.sign(left.end) == sign:
                right = self.chain(left.end + 1, signs, below)
                if right is not None:
                    return Node(sign, (left, right), right.end)
        return below(at)

    def operand(self, at: int) -> Node | None:
        word = self.sign(at)
        if word == "(":
            inner = self.total(at + 1)
            if inner is None or self.sign(inner.end) != ")":
                return None
            return Node("group", (inner,), inner.end + 1)
        if self.sign(at + 1) == "(":
            return self.call(at)
        if word and (word[0].isdigit() or word[-1].isdigit()):
            return Node("value", (), at + 1, word)
        return None

    def call(self, at: int) -> Node | None:
        parts, place = [], at + 2
        while (part := self.comparison(place)) is not None:
            parts.append(part)
            place = part.end + 1
            if self.sign(part.end) == ")":
                return Node("call", tuple(parts), place, self.words[at])
        return None
