"""Labels on sheets of sticky paper."""

from __future__ import annotations

import functools
from typing import NamedTuple

GLYPHS = {letter: 40 + ord(letter) * 7 % 23 for letter in map(chr, range(32, 127))}


class Box(NamedTuple):
    x: int
    y: int
    width: int
    text: str


class Sheet:
    """The labels of one order; asked for its boxes by the preview, the printer and the bill."""

    def __init__(self, number: int, lines: list[str], *, columns: int = 3) -> None:
        self.number, self.lines, self.columns = number, lines, columns

    @functools.cache
    def placed(self, margin: int) -> tuple[Box, ...]:
        boxes = []
        for at, text in enumerate(self.lines):
            row, column = divmod(at, self.columns)
            width = sum(GLYPHS.get(letter, 50) for letter in text)
            boxes.append(Box(margin + column * 700, margin + row * 360, width, text.strip()))
        return tuple(boxes)

    def render(self, margin: int) -> bytes:
        commands = [
            f"^FO{box.x},{box.y}^A0,{28 if box.width < 900 else 20}^FD{box.text}^FS"
            for box in self.placed(margin)
        ]
        return "".join(("^XA", *commands, "^XZ")).encode()

    def overfull(self, margin: int) -> list[str]:
        return [box.text for box in self.placed(margin) if box.width > 1_400]
