"""Runs the reads of a workload under other settings, each right next to the present ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from statistics import median

from perfwright.agents.database.artifacts import Observation, Sample
from perfwright.agents.database.naming import literal
from perfwright.agents.database.postgresql.knobs import MEMORY_KNOBS
from perfwright.agents.database.postgresql.probes.observation import STATEMENT_LIMIT_S
from perfwright.agents.database.postgresql.probes.replay import Replayer
from perfwright.agents.database.postgresql.searching import TimeIsUp
from perfwright.agents.database.postgresql.spaces import Config, Space
from perfwright.agents.database.schedule import spread

SAMPLES = 2  # of each statement
PLENTY_MS = 20.0  # of such a statement one is enough
PASS_MS = 300.0  # of one execution of all that is timed; what takes most time comes first
ROUNDS = 3
HOPELESS = 1.1  # times the present time: not worth another round
SURE_ROUNDS = 5  # where knobs are decided about
LONG_MS = 300.0  # such a statement is run twice less
SLOWER = 2.0  # a statement may take this many times its time before it is stopped
WORSE = 1.3  # times its time: a statement that a setting harms
MATERIAL = 0.01  # of the reads' time, for harm to matter
HARM = 2.0  # what is lost so counts this much more than what is won


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One execution that is measured."""

    shape: str
    sample: Sample
    weight: float
    """Calls that it stands for."""
    ms: float
    """Under the present settings."""
    pressed: bool
    """It lacked memory: more of it makes a difference even where the plan stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two configurations on the statements that either of them affects."""

    one_ms: float
    other_ms: float
    harm_ms: float = 0.0
    """What statements lose that `one` makes a good deal slower than `other`."""
    statements: int = 0

    @property
    def ratio(self) -> float:
        """Time under the first over time under the second; 1 where nothing is affected."""
        return self.one_ms / self.other_ms if self.other_ms else 1.0


class SettingTrials:
    """The reads of a workload on one scratch connection, under settings of a space.

    Args:
        replayer: Its connection has the present settings.
        workload: What was seen.
        space: Of the settings.
        time_is_up: Asked before each statement is taken up.
    """

    def __init__(
        self,
        replayer: Replayer,
        *,
        workload: tuple[Observation, ...],
        space: Space,
        time_is_up: TimeIsUp,
    ) -> None:
        self._replayer, self._space = replayer, space
        self._items = sorted(self._present(workload, time_is_up), key=_most_time_first)
        self.total_ms = sum(item.ms * item.weight for item in self._items)
        self._signatures: dict[Config, list[tuple[str, ...] | None]] = {}

    def score(self, config: Config) -> float:
        """Time of all reads under a configuration over their present time; harm counts more."""
        seen = self.compare(config, self._space.start, rounds=ROUNDS, hopeless=HOPELESS)
        saved = seen.other_ms - seen.one_ms - HARM * seen.harm_ms
        return 1.0 - saved / self.total_ms if self.total_ms else 1.0

    def ratio(self, one: Config, other: Config) -> float:
        """Time of what either of them affects under the first over that under the second."""
        return self.compare(one, other, rounds=SURE_ROUNDS).ratio

    def compare(
        self, one: Config, other: Config, *, rounds: int, hopeless: float = inf
    ) -> Compared:
        """Run what two configurations affect, each right next to the other, in turns.

        Args:
            one: The first.
            other: The second.
            rounds: How often each statement runs under both.
            hopeless: From this ratio on, no further round is run.
        """
        places = self._affected(one, other)
        taken: dict[int, list[tuple[float, float]]] = {place: [] for place in places}
        seen = Compared(one_ms=0.0, other_ms=0.0)
        for number in range(rounds):
            for place in places:
                item = self._items[place]
                if item.ms <= LONG_MS or number < rounds - 2:
                    taken[place].append(self._pair(item, one, other=other, swapped=number % 2 > 0))
            seen = self._compared(taken)
            if not places or seen.ratio >= hopeless:
                break
        return seen

    def _compared(self, taken: dict[int, list[tuple[float, float]]]) -> Compared:
        """Add the medians up, each for the calls that it stands for."""
        total_one = total_other = harm = 0.0
        for place, pairs in taken.items():
            item = self._items[place]
            one_ms, other_ms = (median(times) for times in zip(*pairs, strict=True))
            total_one += one_ms * item.weight
            total_other += other_ms * item.weight
            lost = (one_ms - other_ms) * item.weight
            if one_ms > WORSE * other_ms and lost > MATERIAL * self.total_ms:
                harm += lost
        shapes = {self._items[place].shape for place in taken}
        return Compared(
            one_ms=total_one, other_ms=total_other, harm_ms=harm, statements=len(shapes)
        )

    def _pair(
        self, item: _Item, one: Config, *, other: Config, swapped: bool
    ) -> tuple[float, float]:
        """Milliseconds under both, one right after the other."""
        if swapped:
            other_ms = self._ms(item, other)
            return self._ms(item, one), other_ms
        one_ms = self._ms(item, one)
        return one_ms, self._ms(item, other)

    def _ms(self, item: _Item, config: Config) -> float:
        import psycopg

        limit_s = min(STATEMENT_LIMIT_S, max(0.2, SLOWER * item.ms / 1e3))
        try:
            with self._under(config):
                return self._replayer.time(item.sample, limit_s=limit_s).seconds * 1e3
        except psycopg.Error:
            return limit_s * 1e3

    def _affected(self, one: Config, other: Config) -> list[int]:
        """What is other work under one configuration than under the other, within `PASS_MS`.

        Where the plan is the same, so is the work, but for statements that lack memory.
        """
        found, spent_ms = [], 0.0
        memory = self._memory(one) != self._memory(other)
        plans = zip(self._plans(one), self._plans(other), strict=True)
        for place, (first, second) in enumerate(plans):
            item = self._items[place]
            if (first != second or (memory and item.pressed)) and spent_ms <= PASS_MS:
                found.append(place)
                spent_ms += item.ms
        return found

    def _plans(self, config: Config) -> list[tuple[str, ...] | None]:
        import psycopg

        if config not in self._signatures:
            found: list[tuple[str, ...] | None] = []
            for item in self._items:
                try:
                    with self._under(config):
                        found.append(self._replayer.plan(item.sample).signature)
                except psycopg.Error:
                    found.append(None)
            self._signatures[config] = found
        return self._signatures[config]

    def _memory(self, config: Config) -> tuple[float, ...]:
        return tuple(v for n, v in self._space.values(config).items() if n in MEMORY_KNOBS)

    @contextmanager
    def _under(self, config: Config) -> Iterator[None]:
        """A transaction with the settings of a configuration, which is rolled back."""
        with self._replayer.connection.transaction(force_rollback=True):
            for name, value in self._space.texts(config).items():
                self._replayer.connection.execute(f"SET LOCAL {name} TO {literal(value)}")
            yield

    def _present(self, workload: tuple[Observation, ...], time_is_up: TimeIsUp) -> Iterator[_Item]:
        """Yield executions under the present settings, with everything that was chosen."""
        reads = [o for o in workload if o.cost is not None and not o.shape.write]
        for observation in reads:
            if time_is_up():
                return
            items = []
            for sample in spread(observation.shape.samples, SAMPLES):
                item = self._look(observation, sample)
                if item is not None:
                    items.append(item)
                if item is None or item.ms > PLENTY_MS:
                    break
            calls = observation.shape.calls
            yield from (replace(item, weight=calls / len(items)) for item in items)

    def _look(self, observation: Observation, sample: Sample) -> _Item | None:
        """Run one execution twice, counted and timed; None when it fails or takes too long."""
        import psycopg

        try:
            plan, _ = self._replayer.explain(sample, limit_s=STATEMENT_LIMIT_S)
            if plan is None:
                return None
            run = self._replayer.time(sample, limit_s=STATEMENT_LIMIT_S)
        except psycopg.Error:
            return None
        return _Item(
            shape=observation.shape.id,
            sample=sample,
            weight=0.0,
            ms=run.seconds * 1e3,
            pressed=plan.temp_pages > 0 or plan.lossy_pages > 0,
        )


def _most_time_first(item: _Item) -> tuple[float, str]:
    return -item.ms * item.weight, item.shape
