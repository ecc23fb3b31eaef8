"""Draws by moving a pen."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Pen(NamedTuple):
    move_to: Callable[[float, float], None]
    line_to: Callable[[float, float], None]
    close: Callable[[], str]


def pen(colour: str) -> Pen:
    path, last = "", (0.0, 0.0)

    def move_to(x: float, y: float) -> None:
        nonlocal path, last
        path += f"M{x:.1f} {y:.1f}"
        last = x, y

    def line_to(x: float, y: float) -> None:
        nonlocal path, last
        if abs(x - last[0]) + abs(y - last[1]) > 0.05:
            path = path + f"L{x:.1f} {y:.1f}"
            last = x, y

    def close() -> str:
        return f'<path d="{path}Z" fill="none" stroke="{colour}"/>'

    return Pen(move_to, line_to, close)
