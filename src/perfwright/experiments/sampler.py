"""Takes the samples of an experiment: whole blocks, in random order, garbage collection off."""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median

from perfwright.core import Arm, Bench, Clock, ConfigError
from perfwright.experiments.design import blocks
from perfwright.stats import BlockData

SHORTEST_S = 1e-9
"""A run that the clock could not see is taken for one nanosecond."""


class Sampler:
    """Runs a bench block by block and keeps every metric of every run."""

    def __init__(self, bench: Bench, *, rng: random.Random) -> None:
        self._bench = bench
        self._orders = blocks(rng)
        self._arms: list[Arm] = []
        self._runs: list[Mapping[str, float]] = []

    @property
    def blocks(self) -> int:
        """Whole blocks taken so far."""
        return len(self._runs) // 4

    @property
    def pairs(self) -> int:
        """Pairs taken so far: two to a block."""
        return len(self._runs) // 2

    def warm_up(self, runs: int, *, clock: Clock, deadline_s: float = math.inf) -> None:
        """Run each arm `runs` times without counting, or until the time is up."""
        for _ in range(runs):
            for arm in Arm:
                if clock.now() > deadline_s:
                    return
                self._bench.measure(arm)

    def take_block(self) -> None:
        """Take four runs."""
        for arm in next(self._orders):
            self._runs.append(self._bench.measure(arm))
            self._arms.append(arm)

    def take_until(
        self,
        blocks: int,
        *,
        clock: Clock,
        deadline_s: float,
        progress: Callable[[int], None] = lambda done: None,
    ) -> bool:
        """Take blocks until there are `blocks` of them; False when the time was up before.

        Args:
            blocks: Whole blocks wanted in all.
            clock: Tells the time.
            deadline_s: When to stop, in seconds of `clock`.
            progress: Takes the pairs done.
        """
        with _no_garbage_collection():
            while self.blocks < blocks:
                if clock.now() > deadline_s:
                    return False
                self.take_block()
                progress(self.pairs)
        return True

    def data(self, metric: str) -> BlockData:
        """All runs so far on one metric.

        Raises:
            ConfigError: If the bench does not return this metric.
        """
        return block_data(self._values(metric), self._arms)

    def medians(self, metric: str) -> tuple[float, float]:
        """Median of A and of B in the metric's own unit."""
        runs = list(zip(self._values(metric), self._arms, strict=True))
        return (
            median(value for value, arm in runs if arm is Arm.A),
            median(value for value, arm in runs if arm is Arm.B),
        )

    def pairs_of(self, metric: str) -> tuple[tuple[float, float], ...]:
        """Value of A and of B, pair by pair, in the order taken."""
        values = self._values(metric)
        return tuple(
            (values[place], values[place + 1])
            if self._arms[place] is Arm.A
            else (values[place + 1], values[place])
            for place in range(0, len(values), 2)
        )

    def _values(self, metric: str) -> list[float]:
        try:
            return [run[metric] for run in self._runs]
        except KeyError:
            known = ", ".join(sorted(self._runs[0])) if self._runs else "none yet"
            raise ConfigError(
                field="metric", value=metric, problem=f"is not measured here (known: {known})"
            ) from None


def block_data(values: list[float], arms: list[Arm]) -> BlockData:
    """Turn values in the order taken into what the statistics read."""
    return BlockData(
        [math.log(max(value, SHORTEST_S)) for value in values],
        [1 if arm is Arm.B else -1 for arm in arms],
    )


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep the collector from striking one arm and not the other."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
