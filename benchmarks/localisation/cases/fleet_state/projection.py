"""Replays events into what the control room shows."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

import reducers
from telemetry import parse


class Projection:
    def __init__(self) -> None:
        self.reducer = reducers.combine(
            vehicles=reducers.vehicles, totals=reducers.totals, hours=reducers.hours
        )
        self.state: dict[str, Any] = {"vehicles": {}, "totals": {}, "hours": (0,) * 24}

    def replay(self, lines: Iterable[str]) -> None:
        self.state = reduce(self.reducer, map(parse, lines), self.state)

    def board(self) -> list[str]:
        return [
            f"{name:<10}{known['trips']:>5}{known['metres'] / 1000:>10.1f}{known['fuel']:>8.2f}"
            for name, known in sorted(self.state["vehicles"].items())
        ]
