"""The bench of a change of an SQLite database: two copies of its file."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from perfwright.agents.database.answers import TooSlowError
from perfwright.agents.database.artifacts import Observation, PlanStep, Sample
from perfwright.agents.database.bench import (
    CHECK_LIMIT_S,
    BenchScale,
    BenchSetup,
    Counts,
    PairBench,
)
from perfwright.agents.database.execution import Execution
from perfwright.agents.database.schedule import RUN_MS, STATEMENT_CAP_S, Item
from perfwright.agents.database.sqlite.probes.answers import differs
from perfwright.agents.database.sqlite.probes.arms import TreatedArm, changed_tables, fingerprint
from perfwright.agents.database.sqlite.probes.catalog import object_sizes
from perfwright.agents.database.sqlite.probes.connection import open_scratch
from perfwright.agents.database.sqlite.probes.plans import explain
from perfwright.agents.database.sqlite.probes.replay import Replayer
from perfwright.core import Arm, Change, Clock

COUNT_LIMIT_STEPS = 2e7  # about a second: a limit in seconds would not count the same each time
_CACHED = 1_000  # statements kept compiled, as programs do
_RARELY = 100_000  # steps between two looks at the clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup(BenchSetup):
    """What both arms are made from."""

    baseline: Path
    treated: Path
    foreign_keys: bool
    change: Change | None = None


class SqliteBench(PairBench[Setup, Replayer]):
    """Two files, the second with the change; it is taken back when the bench is closed."""

    scale = BenchScale(
        unit="steps", small=2_000.0, count_limit_s=60.0, longest_s=STATEMENT_CAP_S, run_ms=RUN_MS
    )

    def __init__(self, setup: Setup, *, clock: Clock) -> None:
        self._arm_b = TreatedArm(setup.baseline, setup.treated)
        self._arm_b.begin(setup.change)
        super().__init__(setup, clock=clock)

    def close(self) -> None:
        """Release the arms and take the change back; idempotent."""
        super().close()
        self._arm_b.end()

    @property
    def _failures(self) -> tuple[type[Exception], ...]:
        return (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError)

    def _open(self, arm: Arm) -> Replayer:
        setup = self._setup
        replayer = self._replayer(arm, cached_statements=_CACHED)
        for statement in (*setup.settings, *(setup.treated_settings if arm is Arm.B else ())):
            replayer.connection.execute(statement).fetchall()
        return replayer

    def _replayer(self, arm: Arm, *, cached_statements: int = 0) -> Replayer:
        path = self._setup.baseline if arm is Arm.A else self._setup.treated
        connection = open_scratch(
            path, foreign_keys=self._setup.foreign_keys, cached_statements=cached_statements
        )
        return Replayer(connection, path=path, clock=self._clock)

    def _touched(self) -> frozenset[str]:
        before, after = (fingerprint(self._replayers[arm].connection) for arm in Arm)
        return changed_tables(before, after)

    def _is_affected(self, observation: Observation, touched: frozenset[str]) -> bool:
        if not touched & set(observation.tables):
            return False
        return observation.shape.write or self._replanned(observation)

    def _plan_of(self, replayer: Replayer, sample: Sample) -> tuple[PlanStep, ...]:
        return explain(replayer.connection, sample)

    def _with_present_cost(self, observation: Observation) -> Observation:
        try:
            return super()._with_present_cost(observation)
        except sqlite3.Error:  # of values that it was never run with; they are left out later
            return observation

    def _execute(self, replayer: Replayer, item: Item) -> Execution:
        if item.write:
            return replayer.write(
                item.sample, limit_s=STATEMENT_CAP_S, room=item.room, every=_RARELY
            )
        return replayer.time(item.sample, limit_s=STATEMENT_CAP_S)

    def _count(self, arm: Arm) -> Counts:
        """Count on a connection of its own: a statement kept compiled carries its steps over.

        What is slow is told by the first look at it, so that each time counts the same samples.
        """
        replayer = self._replayer(arm)
        try:
            tally = self._tally(replayer, self._picked)
            sizes = object_sizes(replayer.connection)
        finally:
            replayer.close()
        names = {table.name for table in self._catalog.tables}
        indexes = [n for n in sizes if n not in names and not n.startswith("sqlite_s")]
        metrics = {
            "read_steps": sum(tally.work.values()),
            "write_pages": tally.write_pages,
            "index_bytes": float(sum(sizes[name] for name in indexes)),
        }
        return Counts(tally.work, metrics)

    def _count_read(self, replayer: Replayer, sample: Sample) -> Execution:
        limit_s = self.scale.count_limit_s
        return replayer.read(sample, limit_s=limit_s, limit_steps=COUNT_LIMIT_STEPS)

    def _differs(self, observation: Observation, sample: Sample) -> str | None:
        a, b = (self._replayers[arm].connection for arm in Arm)
        try:
            return differs(a, b, observation=observation, sample=sample, limit_s=CHECK_LIMIT_S)
        except sqlite3.Error as error:  # of values that it was never run with: nothing is known
            raise TooSlowError from error
