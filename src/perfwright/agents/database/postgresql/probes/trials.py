"""Tries changes on a scratch copy, by really making them in a transaction that is rolled back.

Hypothetical indexes (HypoPG) only spare builds that the planner would not use: their sizes were
over-estimated up to 13 times, expression indexes undervalued 15 times, and GIN is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean, median
from typing import Any

from perfwright.agents.database.artifacts import Observation, Sample
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.postgresql.probes.connection import Connection
from perfwright.agents.database.postgresql.probes.copies import in_transaction
from perfwright.agents.database.postgresql.probes.observation import (
    MAX_READS,
    MAX_WRITES,
    STATEMENT_LIMIT_S,
    executed,
)
from perfwright.agents.database.postgresql.probes.plans import Plan
from perfwright.agents.database.postgresql.probes.replay import Execution, Replayer
from perfwright.agents.database.room import room_for
from perfwright.agents.database.schedule import spread
from perfwright.agents.database.whatif import Trial
from perfwright.core import ChangeSpec

DEARER = 1.1
SHAPE_LIMIT_S = 0.4  # for the samples of one statement: it is run again for every new plan
WORK_MS = 5e-4  # a unit of work, where too little was seen to tell
WORK_SPREAD = 10.0  # what a unit of one statement may cost more or less than one on average
WORK_ENOUGH = 200.0  # to tell what a unit of a statement takes
PAGE_MS = (0.0005, 0.01)  # bounds for what touching a buffer costs a write
USUAL_PAGE_MS = 0.002  # where there is too little to learn it from
APART = 0.5  # two writes tell what a buffer costs when one touches half as many more
LOSS = 10.0  # charged for a statement that was stopped
SLOWER = 2.0  # a statement may take this many times its seconds before it is stopped
BUILD_LIMIT_S = 60.0
CLEAR_S = 5e-4  # a difference of times that is more than the noise of one execution
CLEAR_SHARE = 0.25


@dataclass(slots=True)
class _ReadState:
    sample: Sample
    weight: float
    signature: tuple[str, ...]
    run: Execution
    work_ms: float = WORK_MS


@dataclass(slots=True)
class _WriteState:
    observation: Observation
    samples: tuple[tuple[Sample, tuple[str, ...]], ...]
    pages: float


class ScratchTrials:
    """The workload on one scratch connection, and what it costs in the state it is in."""

    def __init__(
        self, replayer: Replayer, *, catalog: Catalog, workload: tuple[Observation, ...]
    ) -> None:
        self._replayer, self._catalog = replayer, catalog
        self._connection = replayer.connection
        self._hypothetical = _has_hypopg(self._connection)
        self._reads: dict[str, list[_ReadState]] = {}
        self._writes: dict[str, _WriteState] = {}
        self._tables: dict[str, frozenset[str]] = {}
        timed: list[tuple[float, float]] = []
        self._fixed_ms = 0.0  # of the writes: what no index changes
        for observation in workload:
            if observation.cost is None:
                continue
            self._tables[observation.shape.id] = frozenset(observation.tables)
            if observation.shape.write:
                timed += self._begin_write(observation)
            else:
                self._begin_read(observation)
        self._calibrate_work()
        self.page_ms = price_of_a_page(timed)
        self._fixed_ms = max(0.0, self._fixed_ms - self.write_ms())

    def total_ms(self) -> float:
        """Cost of one replay of the workload."""
        return sum(map(self._shape_ms, self._reads)) + self.write_ms() + self._fixed_ms

    def write_ms(self) -> float:
        """The part that is due to the buffers of writes."""
        return sum(map(self._write_cost, self._writes.values()))

    def table_ms(self, table: str) -> float:
        """The part that is due to statements which touch a table; all of it for no table."""
        if not table:
            return self.total_ms()
        reads = (s for s in self._reads if table in self._tables[s])
        writes = (state for s, state in self._writes.items() if table in self._tables[s])
        return sum(map(self._shape_ms, reads)) + sum(map(self._write_cost, writes))

    def try_out(self, change: ChangeSpec) -> Trial | None:
        """Make a change, look, take it back; None when it is refused or nothing would use it."""
        import psycopg

        if self._is_idle(change):
            return None
        try:
            with self._connection.transaction(force_rollback=True):
                before = self._fingerprint()
                self._make(change.apply)
                after = self._fingerprint()
                touched = self._catalog.with_wholes(_changed(before, after))
                return self._look(touched=touched, grown=_grown(before, after))
        except psycopg.Error:
            return None

    def accept(self, change: ChangeSpec) -> None:
        """Make a change for good."""
        self._settle(change.apply)

    def withdraw(self, change: ChangeSpec) -> None:
        """Take an accepted change back for good."""
        self._settle(change.revert)

    def _look(self, *, touched: frozenset[str], grown: int) -> Trial:
        saved: dict[str, float] = {}
        worse: list[str] = []
        for shape, changed in self._rerun_reads(touched):
            saved[shape] = sum(self._gain(state, run) * state.weight for state, _, run in changed)
            if saved[shape] < -(DEARER - 1.0) * self._shape_ms(shape):
                worse.append(shape)
        write_ms = sum(
            self._write_cost(state, pages=pages) - self._write_cost(state)
            for state, pages in self._rerun_writes(touched)
        )
        base_ms = sum(self._shape_ms(shape) for shape, ms in saved.items() if ms)
        return Trial(
            saved=saved,
            write_ms=write_ms,
            size_bytes=grown,
            worse=tuple(worse),
            base_ms=base_ms + (self.write_ms() if write_ms else 0.0),
        )

    def _gain(self, state: _ReadState, run: Execution) -> float:
        """Milliseconds saved by one execution; the clock overrules work that misleads.

        A join by index can touch more buffers than one by hash, and still be done sooner.
        """
        if run.stopped:
            return 0.0 if state.run.stopped else -LOSS * state.run.work * state.work_ms
        by_work = (state.run.work - run.work) * state.work_ms
        if not _contradicts(by_work, before=state.run, after=run):
            return by_work
        again = self._read(state.sample, limit_s=STATEMENT_LIMIT_S)
        seconds = min(run.seconds, again[1].seconds) if again else run.seconds
        after = replace(run, seconds=seconds)
        if _contradicts(by_work, before=state.run, after=after):
            return (state.run.seconds - seconds) * 1e3
        return by_work

    def _settle(self, statements: tuple[str, ...]) -> None:
        before = self._fingerprint()
        with self._connection.transaction():
            self._make(statements)
        touched = self._catalog.with_wholes(_changed(before, self._fingerprint()))
        for _, changed in list(self._rerun_reads(touched)):
            for state, signature, run in changed:
                state.signature, state.run = signature, run
        for write, pages in list(self._rerun_writes(touched)):
            write.pages = pages

    def _make(self, statements: tuple[str, ...]) -> None:
        self._connection.execute(f"SET LOCAL statement_timeout = {BUILD_LIMIT_S * 1e3:.0f}")
        for statement in statements:
            self._connection.execute(in_transaction(statement))

    def _is_idle(self, change: ChangeSpec) -> bool:
        """Whether no statement would use a new plain index, as far as HypoPG can tell."""
        import psycopg

        statements = [s for s in change.apply if not s.startswith("ANALYZE")]
        if not self._hypothetical or len(statements) != 1 or not _is_plain(statements[0]):
            return False
        try:
            with _hypothetical(self._connection, in_transaction(statements[0])) as (table, column):
                if self._catalog.table(table) is None or self._serves_a_key(table, column):
                    return False
                return not any(
                    self._would_change(states)
                    for shape, states in self._reads.items()
                    if table in self._tables[shape]
                )
        except psycopg.Error:
            return False

    def _serves_a_key(self, table: str, column: str) -> bool:
        """Whether it may help the checks of a foreign key, which no plan shows."""
        return any(k.table == table and column in k.columns for k in self._catalog.foreign_keys)

    def _would_change(self, states: list[_ReadState]) -> bool:
        return any(self._replayer.plan(s.sample).signature != s.signature for s in states)

    def _shape_ms(self, shape: str) -> float:
        return sum(s.run.work * s.work_ms * s.weight for s in self._reads[shape])

    def _write_cost(self, state: _WriteState, *, pages: float | None = None) -> float:
        touched = state.pages if pages is None else pages
        return state.observation.shape.weight * touched * self.page_ms

    def _fingerprint(self) -> dict[tuple[str, str], tuple[str, int]]:
        """Indexes by table and name, each with its definition and bytes; statistics likewise."""
        rows = self._connection.execute(_FINGERPRINT).fetchall()
        names = {(t.schema, t.bare_name or t.name): t.name for t in self._catalog.tables}
        return {
            (names.get((str(schema), str(table)), str(table)), str(name)): (definition, int(size))
            for schema, table, name, definition, size in rows
        }

    def _begin_read(self, observation: Observation) -> None:
        states: list[_ReadState] = []
        shape = observation.shape
        for sample in spread(shape.samples, MAX_READS):
            found = self._read(sample, limit_s=STATEMENT_LIMIT_S)
            if found is None:
                continue
            signature, run = found
            states.append(_ReadState(sample, 0.0, signature, run))
            if sum(s.run.seconds for s in states) > SHAPE_LIMIT_S:
                break
        for state in states:
            state.weight = shape.weight / len(states)
        if states:
            self._reads[shape.id] = states

    def _read(self, sample: Sample, *, limit_s: float) -> tuple[tuple[str, ...], Execution] | None:
        """Run a read; None when it fails."""
        import psycopg

        try:
            plan, seconds = self._replayer.explain(sample, limit_s=limit_s)
            shown: Plan = plan or self._replayer.plan(sample)
        except psycopg.Error:
            return None
        return shown.signature, executed(plan, seconds=seconds)

    def _begin_write(self, observation: Observation) -> Iterator[tuple[float, float]]:
        """Take up a write; yields the buffers and milliseconds of one execution."""
        samples = tuple(
            (sample, room_for(sample, self._catalog))
            for sample in spread(observation.shape.samples, MAX_WRITES)
        )
        state = _WriteState(observation, samples, 0.0)
        measured = self._measure_write(state)
        if measured is not None:
            state.pages, seconds = measured
            self._writes[observation.shape.id] = state
            self._fixed_ms += seconds * 1e3 * observation.shape.weight
            yield state.pages, seconds * 1e3

    def _calibrate_work(self) -> None:
        """Learn what a unit of work takes: for each statement where it tells, and over all."""
        groups = list(self._reads.values())
        runs = [s.run for group in groups for s in group if s.run.work > WORK_ENOUGH]
        work = sum(run.work for run in runs)
        overall = sum(run.seconds for run in runs) * 1e3 / work if work else WORK_MS
        for group in groups:
            own = sum(s.run.work for s in group)
            seconds = sum(s.run.seconds for s in group)
            price = seconds * 1e3 / own if own > WORK_ENOUGH else overall
            for state in group:
                state.work_ms = min(max(price, overall / WORK_SPREAD), overall * WORK_SPREAD)

    def _rerun_reads(
        self, touched: frozenset[str]
    ) -> Iterator[tuple[str, list[tuple[_ReadState, tuple[str, ...], Execution]]]]:
        """Run what is planned differently now."""
        for shape, states in self._reads.items():
            if not touched & self._tables[shape]:
                continue
            changed = []
            for state in states:
                signature = self._replayer.plan(state.sample).signature
                if signature == state.signature:
                    continue
                limit_s = max(SLOWER * state.run.seconds, 0.2)
                found = self._read(state.sample, limit_s=min(limit_s, STATEMENT_LIMIT_S))
                if found is not None:
                    changed.append((state, signature, found[1]))
            if changed:
                yield shape, changed

    def _rerun_writes(self, touched: frozenset[str]) -> Iterator[tuple[_WriteState, float]]:
        for shape, state in self._writes.items():
            if touched & self._tables[shape]:
                measured = self._measure_write(state)
                if measured is not None:
                    yield state, measured[0]

    def _measure_write(self, state: _WriteState) -> tuple[float, float] | None:
        """Return mean buffers and seconds; None when a statement fails."""
        import psycopg

        runs = []
        try:
            for sample, room in state.samples:
                run = self._replayer.write(sample, limit_s=STATEMENT_LIMIT_S, room=room)
                runs.append(run)
                if run.seconds > STATEMENT_LIMIT_S / MAX_WRITES:
                    break
        except psycopg.Error:
            return None
        return fmean(r.pages for r in runs), fmean(r.charged_s for r in runs)


def price_of_a_page(timed: Sequence[tuple[float, float]]) -> float:
    """Milliseconds that one more buffer costs a write: the median slope between two writes.

    Most of a short write is its fixed part, which no index changes: over all, a buffer seemed
    four times as dear as what indexes then really cost. Source: P. K. Sen, JASA 63 (1968).

    Args:
        timed: Buffers and milliseconds of one execution of each write.
    """
    slopes = [
        (ms - other_ms) / (pages - other_pages)
        for (pages, ms), (other_pages, other_ms) in combinations(timed, 2)
        if abs(pages - other_pages) >= APART * max(pages, other_pages)
    ]
    low, high = PAGE_MS
    return min(max(median(slopes), low), high) if slopes else USUAL_PAGE_MS


_FINGERPRINT = """
SELECT n.nspname, t.relname, i.relname, pg_get_indexdef(i.oid), pg_relation_size(i.oid)
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
 WHERE n.nspname NOT LIKE 'pg\\_%' AND i.relkind = 'i'
 UNION ALL
SELECT schemaname, tablename, '(statistics)',
       md5(string_agg(concat_ws(' ', attname, null_frac, n_distinct), ',' ORDER BY attname)), 0
  FROM pg_stats WHERE schemaname NOT LIKE 'pg\\_%' GROUP BY 1, 2
 UNION ALL
SELECT n.nspname, t.relname, s.stxname, pg_get_statisticsobjdef(s.oid), 0
  FROM pg_statistic_ext s JOIN pg_class t ON t.oid = s.stxrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
"""


def _changed(
    before: dict[tuple[str, str], tuple[str, int]], after: dict[tuple[str, str], tuple[str, int]]
) -> frozenset[str]:
    """Tables whose indexes differ."""
    one = {(key, definition) for key, (definition, _) in before.items()}
    other = {(key, definition) for key, (definition, _) in after.items()}
    return frozenset(table for (table, _), _ in one ^ other)


def _grown(
    before: dict[tuple[str, str], tuple[str, int]], after: dict[tuple[str, str], tuple[str, int]]
) -> int:
    new = sum(size for key, (_, size) in after.items() if key not in before)
    return new - sum(size for key, (_, size) in before.items() if key not in after)


def _contradicts(by_work: float, *, before: Execution, after: Execution) -> bool:
    """Whether the clock tells clearly the opposite of the work."""
    saved_s = before.seconds - after.seconds
    clear = abs(saved_s) > max(CLEAR_S, CLEAR_SHARE * before.seconds)
    return clear and (saved_s > 0) != (by_work > 0)


def _has_hypopg(connection: Connection) -> bool:
    """Make HypoPG where the scratch server has it."""
    import psycopg

    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS hypopg")
    except psycopg.Error:
        return False
    return True


_PLAIN = re.compile(
    r'\ACREATE INDEX (?:CONCURRENTLY )?(?:IF NOT EXISTS )?"(?:[^"]|"")+" ON (?P<table>[^(]+?) ?'
    r'\((?P<keys>(?:"(?:[^"]|"")+"(?: (?:ASC|DESC|NULLS FIRST|NULLS LAST))*(?:, )?)+)\)',
)


def _is_plain(statement: str) -> bool:
    """Whether HypoPG can be trusted to say that an index is of no use: B-trees on columns."""
    return _PLAIN.match(statement) is not None and " USING " not in statement


@contextmanager
def _hypothetical(connection: Connection, statement: str) -> Iterator[tuple[str, str]]:
    """Let the planner believe in an index; yields its table and first column."""
    with connection.transaction(force_rollback=True):
        try:
            row: Any = connection.execute(
                "SELECT h.indrelid::regclass::text, a.attname"
                " FROM hypopg_create_index(%s) c JOIN hypopg() h USING (indexrelid)"
                " JOIN pg_attribute a ON a.attrelid = h.indrelid AND a.attnum = h.indkey[0]",
                (statement,),
            ).fetchone()
            yield str(row[0]).replace('"', ""), str(row[1])
        finally:
            connection.execute("SELECT hypopg_reset()")
