"""Tries changes on a scratch copy of an SQLite file: made, looked at, undone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress

from perfwright.agents.database.artifacts import Observation, Sample
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.execution import Execution
from perfwright.agents.database.sqlite.probes.cascades import HiddenCascades
from perfwright.agents.database.sqlite.probes.catalog import index_bytes
from perfwright.agents.database.sqlite.probes.observation import STATEMENT_LIMIT_S
from perfwright.agents.database.sqlite.probes.plans import explain
from perfwright.agents.database.sqlite.probes.replay import Replayer
from perfwright.agents.database.trials import (
    Fingerprint,
    ReadState,
    Rerun,
    ScratchTrials,
    TrialScale,
    WriteState,
)
from perfwright.agents.database.whatif import Trial
from perfwright.core import ChangeSpec

SLOWER = 1.5  # time against fewer steps: the steps are believed up to here
SLOWER_MIN_S = 3e-4
HOPELESS_LIMIT_S = 0.25  # for a statement that ran into its limit: what helps it at all is faster
STOP = 3.0  # times the steps that a read took before, and some more
SKIP_SCAN = "ANY("  # a plan that guesses from statistics, and decays as values are added


class SqliteTrials(ScratchTrials[Replayer]):
    """The workload on a copy of an SQLite file; its work is steps of the virtual machine."""

    scale = TrialScale(
        statement_limit_s=STATEMENT_LIMIT_S,
        shape_limit_s=0.15,
        work_ms=3e-5,
        work_enough=2_000.0,
        work_spread=20.0,  # fetching rows at random was up to 15 times dearer than a scan
    )

    def __init__(
        self, replayer: Replayer, *, catalog: Catalog, workload: tuple[Observation, ...]
    ) -> None:
        writes = [o for o in workload if o.shape.write]
        self._connection = replayer.connection
        self._hidden = HiddenCascades(catalog, writes)
        self._recorded_ms = sum(o.shape.recorded_ms or 0.0 for o in writes)
        self._sizes = {index.name: index.size_bytes for index in catalog.indexes}
        super().__init__(replayer, catalog=catalog, workload=workload)

    def try_out(self, change: ChangeSpec) -> Trial | None:
        """Make a change, look, take it back; None when SQLite refuses it."""
        before = self._fingerprint()
        if not self._carry_out(change.apply, undo=change.revert):
            return None
        try:
            return self._look(before)
        finally:
            self._make(change.revert, undo=())

    @property
    def _failures(self) -> tuple[type[Exception], ...]:
        return (sqlite3.Error, sqlite3.Warning)

    def _make(self, statements: tuple[str, ...], *, undo: tuple[str, ...]) -> None:
        self._carry_out(statements, undo=undo)

    def _carry_out(self, statements: tuple[str, ...], *, undo: tuple[str, ...]) -> bool:
        try:
            for statement in statements:
                self._connection.execute(statement)
        except sqlite3.Error:
            for statement in undo:
                self._connection.execute(statement)
            return False
        return True

    def _fingerprint(self) -> Fingerprint:
        found = {
            (table, name): (sql, self._size(name))
            for table, name, sql in self._connection.execute(
                "SELECT tbl_name, name, coalesce(sql, '') FROM sqlite_master WHERE type = 'index'"
            ).fetchall()
        }
        with suppress(sqlite3.OperationalError):  # ANALYZE never ran
            for table, index, text in self._connection.execute(
                "SELECT tbl, coalesce(idx, ''), stat FROM sqlite_stat1"
            ).fetchall():
                found[table, f"{index} (statistics)"] = (text, 0)
        return found

    def _size(self, index: str) -> int:
        if index not in self._sizes:
            self._sizes[index] = index_bytes(self._connection, index)
        return self._sizes[index]

    def _first_run(self, sample: Sample) -> tuple[tuple[str, ...], Execution] | None:
        try:
            plan = self._plan(sample)
            return plan, self._replayer.read(sample, limit_s=STATEMENT_LIMIT_S)
        except sqlite3.Error:
            return None

    def _plan(self, sample: Sample) -> tuple[str, ...]:
        return tuple(step.detail for step in explain(self._connection, sample))

    def _run_again(self, state: ReadState) -> Execution:
        return self._replayer.read(
            state.sample,
            limit_s=HOPELESS_LIMIT_S if state.run.stopped else STATEMENT_LIMIT_S * 1.5,
            limit_steps=STOP * state.run.work + 20_000,
        )

    def _saved_ms(self, rerun: Rerun) -> float:
        state, run = rerun.state, rerun.run
        if run.work != state.run.work and _is_slower(run, state.run):
            again = self._replayer.read(state.sample, limit_s=STATEMENT_LIMIT_S, runs=4)
            if _is_slower(again, state.run):
                return (state.run.seconds - again.seconds) * 1e3
        skips = any(SKIP_SCAN in line for line in rerun.plan)
        return min(rerun.saved_ms, 0.0) if skips else rerun.saved_ms

    def _begin_write(self, observation: Observation) -> None:
        super()._begin_write(observation)  # fills the cache, which each connection has for itself
        super()._begin_write(observation)

    def _timed_writes(self) -> Iterator[tuple[float, float]]:
        """Pages of each write, and milliseconds beside its steps; where those tell, of no use."""
        for state in self._writes.values():
            run = state.run
            if run.work <= self.scale.work_enough:
                yield run.pages, run.seconds * 1e3 - run.work * self.work_ms

    def _write_ms(self, state: WriteState, run: Execution) -> float:
        """Pages, and the steps of what looks for rows: an index may save a delete a scan."""
        return super()._write_ms(state, run) + state.weight * run.work * self.work_ms

    def _taken_ms(self) -> float:
        """What all writes took; when they were recorded, if that was longer."""
        return max(super()._taken_ms() + self._unseen_ms, self._recorded_ms)

    def _look_for_unseen(self) -> float:
        return self._hidden.left_ms(self._connection)


def _is_slower(run: Execution, before: Execution) -> bool:
    return run.seconds > SLOWER * before.seconds and run.seconds - before.seconds > SLOWER_MIN_S
