"""Tries changes on a scratch copy, by really making them.

Estimates were off both ways: hypothetical sizes by up to 13 times, and gains of expression and
LIMIT queries by up to 15 times, so each candidate is built, analysed, looked at and dropped.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean

from perfwright.agents.database.artifacts import Observation, Sample
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.room import room_for
from perfwright.agents.database.schedule import spread
from perfwright.agents.database.sqlite.probes.cascades import HiddenCascades
from perfwright.agents.database.sqlite.probes.catalog import index_bytes
from perfwright.agents.database.sqlite.probes.observation import (
    MAX_READS,
    MAX_WRITES,
    STATEMENT_LIMIT_S,
)
from perfwright.agents.database.sqlite.probes.plans import explain
from perfwright.agents.database.sqlite.probes.replay import Execution, Replayer
from perfwright.agents.database.whatif import Trial
from perfwright.core import ChangeSpec

DEARER = 1.1
SLOWER = 1.5  # time against fewer steps: the steps are believed up to here
SLOWER_MIN_S = 3e-4
SHAPE_LIMIT_S = 0.15  # for the samples of one statement: it is run again for every new plan
HOPELESS_LIMIT_S = 0.25  # for a statement that ran into its limit: what helps it at all is faster
STEP_MS = 3e-5  # a virtual-machine step, where too few were seen to tell
STEP_SPREAD = (
    20.0  # steps that fetch rows at random were up to 15 times dearer than those of a scan
)
STEPS_ENOUGH = 2_000  # to tell what a step of a statement takes
LOSS = 10.0  # charged for a statement that was stopped at `STOP` times its steps
STOP = 3.0
SKIP_SCAN = "ANY("  # a plan that guesses from statistics, and decays as values are added
PAGE_MS = (0.002, 0.03)  # bounds for what touching a page costs a write


@dataclass(slots=True)
class _ReadState:
    sample: Sample
    weight: float
    plan: tuple[str, ...]
    run: Execution
    step_ms: float = STEP_MS


@dataclass(slots=True)
class _WriteState:
    observation: Observation
    samples: tuple[tuple[Sample, tuple[str, ...]], ...]
    steps: float
    pages: float


class ScratchTrials:
    """The workload on one scratch connection, and what it costs in the state it is in."""

    def __init__(
        self, replayer: Replayer, *, catalog: Catalog, workload: tuple[Observation, ...]
    ) -> None:
        self._replayer = replayer
        self._connection = replayer.connection
        self._catalog = catalog
        self._reads: dict[str, list[_ReadState]] = {}
        self._writes: dict[str, _WriteState] = {}
        self._tables: dict[str, frozenset[str]] = {}
        self._sizes = {index.name: index.size_bytes for index in catalog.indexes}
        seconds = 0.0
        for observation in workload:
            if observation.cost is None:
                continue
            self._tables[observation.shape.id] = frozenset(observation.tables)
            if observation.shape.write:
                seconds += self._begin_write(observation)
            else:
                self._begin_read(observation)
        writes = [o for o in workload if o.shape.write]
        self._hidden = HiddenCascades(catalog, writes)
        self._hidden_ms = self._hidden.left_ms(self._connection)
        self._recorded_ms = sum(o.shape.recorded_ms or 0.0 for o in writes)
        self.step_ms = self._calibrate_steps()
        self.page_ms = self._calibrate_pages(seconds)

    def total_ms(self) -> float:
        """Cost of one replay of the workload."""
        return self.read_ms() + self.write_ms()

    def read_ms(self) -> float:
        """The part that is due to reads."""
        return sum(map(self._shape_ms, self._reads))

    def write_ms(self) -> float:
        """The part that is due to writes."""
        seen = sum(self._write_cost(s, steps=s.steps, pages=s.pages) for s in self._writes.values())
        return max(seen + self._hidden_ms, self._recorded_ms)

    def table_ms(self, table: str) -> float:
        """The part that is due to statements which touch a table; all of it for no table."""
        if not table:
            return self.total_ms()
        reads = sum(self._shape_ms(shape) for shape in self._reads if table in self._tables[shape])
        writes = sum(
            self._write_cost(s, steps=s.steps, pages=s.pages)
            for shape, s in self._writes.items()
            if table in self._tables[shape]
        )
        return reads + writes + self._hidden_ms

    def try_out(self, change: ChangeSpec) -> Trial | None:
        """Make a change, look, take it back; None when SQLite refuses it."""
        before = self._fingerprint()
        if not self._run(change.apply, undo=change.revert):
            return None
        try:
            touched = self._changed(before)
            saved, worse, _ = self._look_at_reads(touched)
            write_ms, _ = self._look_at_writes(touched)
            grown = self._grown_bytes(before)
            changed = [shape for shape, saved_ms in saved.items() if saved_ms]
            base_ms = sum(map(self._shape_ms, changed)) + (self.write_ms() if write_ms else 0.0)
        finally:
            self._run(change.revert, undo=())
        return Trial(
            saved=saved,
            write_ms=write_ms,
            size_bytes=grown,
            worse=worse,
            base_ms=base_ms,
        )

    def _shape_ms(self, shape: str) -> float:
        return sum(s.run.steps * s.step_ms * s.weight for s in self._reads[shape])

    def accept(self, change: ChangeSpec) -> None:
        """Make a change for good."""
        self._settle(change.apply, undo=change.revert)

    def withdraw(self, change: ChangeSpec) -> None:
        """Take an accepted change back for good."""
        self._settle(change.revert, undo=change.apply)

    def _settle(self, statements: tuple[str, ...], *, undo: tuple[str, ...]) -> None:
        before = self._fingerprint()
        self._run(statements, undo=undo)
        touched = self._changed(before)
        _, _, reads = self._look_at_reads(touched)
        _, writes = self._look_at_writes(touched)
        for state, plan, run in reads:
            state.plan, state.run = plan, run
        for write, steps, pages in writes:
            write.steps, write.pages = steps, pages
        self._hidden_ms = self._hidden.left_ms(self._connection)

    def _run(self, statements: tuple[str, ...], *, undo: tuple[str, ...]) -> bool:
        try:
            for statement in statements:
                self._connection.execute(statement)
        except sqlite3.Error:
            for statement in undo:
                self._connection.execute(statement)
            return False
        return True

    def _fingerprint(self) -> dict[tuple[str, str], str]:
        """What the planner knows, by kind and name, each with its table in front."""
        rows = self._connection.execute(
            "SELECT 'index', tbl_name, name, '' FROM sqlite_master WHERE type = 'index'"
        ).fetchall()
        with suppress(sqlite3.OperationalError):  # ANALYZE never ran
            rows += self._connection.execute(
                "SELECT 'stat', tbl, coalesce(idx, ''), stat FROM sqlite_stat1"
            ).fetchall()
        return {(f"{kind} {table}", name): f"{table}\0{text}" for kind, table, name, text in rows}

    def _changed(self, before: dict[tuple[str, str], str]) -> frozenset[str]:
        """Return the tables whose indexes or statistics differ from `before`."""
        after = self._fingerprint()
        different = set(before.items()) ^ set(after.items())
        return frozenset(text.partition("\0")[0] for _, text in different)

    def _grown_bytes(self, before: dict[tuple[str, str], str]) -> int:
        """Bytes of the indexes that are new, less those that are gone."""
        old = {name for kind, name in before if kind.startswith("index ")}
        new = {name for kind, name in self._fingerprint() if kind.startswith("index ")}
        for name in new - set(self._sizes):
            size = index_bytes(self._connection, name)
            self._sizes[name] = size
        return sum(self._sizes.get(n, 0) for n in new - old) - sum(
            self._sizes.get(n, 0) for n in old - new
        )

    def _begin_read(self, observation: Observation) -> None:
        states: list[_ReadState] = []
        shape = observation.shape
        for sample in spread(shape.samples, MAX_READS):
            try:
                plan = self._plan(sample)
                run = self._replayer.read(sample, limit_s=STATEMENT_LIMIT_S)
            except sqlite3.Error:
                continue
            states.append(_ReadState(sample, 0.0, plan, run))
            if sum(s.run.seconds for s in states) > SHAPE_LIMIT_S:
                break
        for state in states:
            state.weight = shape.calls / len(states)
        if states:
            self._reads[shape.id] = states

    def _begin_write(self, observation: Observation) -> float:
        """Take up a write; returns the seconds that all its calls take."""
        samples = tuple(
            (sample, room_for(sample, self._catalog))
            for sample in spread(observation.shape.samples, MAX_WRITES)
        )
        state = _WriteState(observation, samples, 0.0, 0.0)
        measured = self._measure_write(state)
        if measured is None:
            return 0.0
        state.steps, state.pages, seconds = measured
        self._writes[observation.shape.id] = state
        return seconds * observation.shape.calls

    def _calibrate_steps(self) -> float:
        """Learn what a step takes: for each statement where its steps tell, and over all."""
        groups = list(self._reads.values())
        runs = [s.run for group in groups for s in group if s.run.steps > STEPS_ENOUGH]
        steps = sum(run.steps for run in runs)
        overall = sum(run.seconds for run in runs) * 1e3 / steps if steps else STEP_MS
        for group in groups:
            own = sum(s.run.steps for s in group)
            seconds = sum(s.run.seconds for s in group)
            price = seconds * 1e3 / own if own > STEPS_ENOUGH else overall
            for state in group:
                state.step_ms = min(max(price, overall / STEP_SPREAD), overall * STEP_SPREAD)
        return overall

    def _calibrate_pages(self, write_seconds: float) -> float:
        calls = [(s.observation.shape.calls, s) for s in self._writes.values()]
        pages = sum(count * s.pages for count, s in calls)
        rest_ms = write_seconds * 1e3 - sum(count * self._cost(s.steps) for count, s in calls)
        low, high = PAGE_MS
        return min(max(rest_ms / pages, low), high) if pages else low

    def _cost(self, steps: float) -> float:
        return steps * self.step_ms

    def _write_cost(self, state: _WriteState, *, steps: float, pages: float) -> float:
        return state.observation.shape.calls * (self._cost(steps) + pages * self.page_ms)

    def _plan(self, sample: Sample) -> tuple[str, ...]:
        return tuple(step.detail for step in explain(self._connection, sample))

    def _look_at_reads(
        self, touched: frozenset[str]
    ) -> tuple[
        dict[str, float], tuple[str, ...], list[tuple[_ReadState, tuple[str, ...], Execution]]
    ]:
        """Run what is planned differently now."""
        saved: dict[str, float] = {}
        worse: list[str] = []
        news: list[tuple[_ReadState, tuple[str, ...], Execution]] = []
        for shape, states in self._reads.items():
            if not touched & self._tables[shape]:
                continue
            changed = self._rerun(states)
            if not changed:
                continue
            news += changed
            saved[shape] = sum(
                self._gain(state, run, plan=plan) * state.weight for state, plan, run in changed
            )
            total = sum(state.run.steps * state.step_ms * state.weight for state in states)
            if saved[shape] < -(DEARER - 1.0) * total:
                worse.append(shape)
        return saved, tuple(worse), news

    def _rerun(
        self, states: list[_ReadState]
    ) -> list[tuple[_ReadState, tuple[str, ...], Execution]]:
        found = []
        for state in states:
            plan = self._plan(state.sample)
            if plan == state.plan:
                continue
            run = self._replayer.read(
                state.sample,
                limit_s=HOPELESS_LIMIT_S if state.run.stopped else STATEMENT_LIMIT_S * 1.5,
                limit_steps=STOP * state.run.steps + 20_000,
            )
            found.append((state, plan, run))
        return found

    def _gain(self, state: _ReadState, run: Execution, *, plan: tuple[str, ...]) -> float:
        """Milliseconds saved by one execution; the clock overrules steps that mislead."""
        if run.stopped:
            return 0.0 if state.run.stopped else -LOSS * state.run.steps * state.step_ms
        if run.steps != state.run.steps and _is_slower(run, state.run):
            again = self._replayer.read(state.sample, limit_s=STATEMENT_LIMIT_S, runs=4)
            if _is_slower(again, state.run):
                return -(again.seconds - state.run.seconds) * 1e3
        gain = (state.run.steps - run.steps) * state.step_ms
        return min(gain, 0.0) if any(SKIP_SCAN in line for line in plan) else gain

    def _look_at_writes(
        self, touched: frozenset[str]
    ) -> tuple[float, list[tuple[_WriteState, float, float]]]:
        added_ms = self._hidden.left_ms(self._connection) - self._hidden_ms
        news: list[tuple[_WriteState, float, float]] = []
        for shape, state in self._writes.items():
            if not touched & self._tables[shape]:
                continue
            measured = self._measure_write(state)
            if measured is None:
                continue
            steps, pages, _ = measured
            added_ms += self._write_cost(state, steps=steps, pages=pages)
            added_ms -= self._write_cost(state, steps=state.steps, pages=state.pages)
            news.append((state, steps, pages))
        return added_ms, news

    def _measure_write(self, state: _WriteState) -> tuple[float, float, float] | None:
        """Return mean steps, pages and seconds; None when a statement fails."""
        runs = []
        try:
            for sample, room in state.samples:
                run = self._replayer.write(sample, limit_s=STATEMENT_LIMIT_S, room=room)
                runs.append(run)
                if run.seconds > STATEMENT_LIMIT_S / MAX_WRITES:
                    break
        except (sqlite3.Error, sqlite3.Warning):
            return None
        return (
            fmean(r.steps for r in runs),
            fmean(r.pages for r in runs),
            fmean(r.seconds for r in runs),
        )


def _is_slower(run: Execution, before: Execution) -> bool:
    return run.seconds > SLOWER * before.seconds and run.seconds - before.seconds > SLOWER_MIN_S
