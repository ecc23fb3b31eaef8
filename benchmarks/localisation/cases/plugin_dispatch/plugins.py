"""The plugins of a game server."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from bus import Bus


class Scores:
    def __init__(self) -> None:
        self.points: Counter[str] = Counter()

    def on_kill(self, killer: str, weapon: str) -> None:
        self.points[killer] += 3 if weapon == "knife" else 1


class Heatmap:
    def __init__(self) -> None:
        self.cells: Counter[tuple[int, int]] = Counter()

    def on_move(self, x: float, y: float) -> None:
        self.cells[int(x) // 8, int(y) // 8] += 1

    def on_kill(self, x: float, y: float) -> None:
        self.cells[int(x) // 8, int(y) // 8] += 5


class Replay:
    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def on_any(self, tick: int, player: str = "", **_: Any) -> None:
        self.digest.update(f"{tick}:{player}".encode())


def install(bus: Bus) -> tuple[Scores, Heatmap, Replay]:
    scores, heatmap, replay = Scores(), Heatmap(), Replay()
    bus.subscribe("kill", scores.on_kill)
    bus.subscribe("kill", heatmap.on_kill)
    bus.subscribe("move", heatmap.on_move)
    bus.subscribe("move", replay.on_any)
    return scores, heatmap, replay
