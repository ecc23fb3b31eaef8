"""Feeds signals, and acts on them."""

from __future__ import annotations

from collections import Counter

from series import Series, Tick
from signals import Signal


class Engine:
    def __init__(self, wanted: dict[str, tuple[str, int]]) -> None:
        self.series: dict[str, Series] = {}
        self.wanted = wanted
        self.signals: dict[str, dict[str, Signal]] = {}
        self.actions: Counter[str] = Counter()

    def _of(self, paper: str) -> tuple[Series, dict[str, Signal]]:
        if paper not in self.series:
            self.series[paper] = Series()
            self.signals[paper] = {
                name: Signal.kinds[kind](length) for name, (kind, length) in self.wanted.items()
            }
        return self.series[paper], self.signals[paper]

    def on_tick(self, paper: str, tick: Tick) -> None:
        series, signals = self._of(paper)
        series.add(tick)
        values = {name: signal.update(series) for name, signal in signals.items()}
        if values["trend"] > 0.02 and values["short"] > values["fair"]:
            self.actions[f"buy {paper}"] += 1
        elif values["trend"] < -0.02 or values["jump"] < -2.5:
            self.actions[f"sell {paper}"] += 1
