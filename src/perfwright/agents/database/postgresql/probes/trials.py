"""Tries changes on a copy of a PostgreSQL database, in a transaction that is rolled back.

Hypothetical indexes (HypoPG) only spare builds that the planner would not use: their sizes were
over-estimated up to 13 times, expression indexes undervalued 15 times, and GIN is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from perfwright.agents.database.artifacts import Observation, Sample
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.execution import Execution
from perfwright.agents.database.postgresql.probes.connection import Connection
from perfwright.agents.database.postgresql.probes.copies import in_transaction
from perfwright.agents.database.postgresql.probes.observation import STATEMENT_LIMIT_S, executed
from perfwright.agents.database.postgresql.probes.plans import Plan
from perfwright.agents.database.postgresql.probes.replay import Replayer
from perfwright.agents.database.trials import (
    Fingerprint,
    ReadState,
    Rerun,
    ScratchTrials,
    TrialScale,
)
from perfwright.agents.database.whatif import Trial
from perfwright.core import ChangeSpec

SLOWER = 2.0  # a statement may take this many times its seconds before it is stopped
BUILD_LIMIT_S = 60.0
CLEAR_S = 5e-4  # a difference of times that is more than the noise of one execution
CLEAR_SHARE = 0.25


class PostgresTrials(ScratchTrials[Replayer]):
    """The workload on a copy of a database; its work is buffers and rows."""

    scale = TrialScale(
        statement_limit_s=STATEMENT_LIMIT_S,
        shape_limit_s=0.4,
        work_ms=5e-4,
        work_enough=200.0,
        work_spread=10.0,
    )

    def __init__(
        self, replayer: Replayer, *, catalog: Catalog, workload: tuple[Observation, ...]
    ) -> None:
        self._connection = replayer.connection
        self._hypothetical = _has_hypopg(self._connection)
        super().__init__(replayer, catalog=catalog, workload=workload)

    def try_out(self, change: ChangeSpec) -> Trial | None:
        """Make a change, look, take it back; None when it is refused or nothing would use it."""
        import psycopg

        if self._is_idle(change):
            return None
        try:
            with self._connection.transaction(force_rollback=True):
                before = self._fingerprint()
                self._carry_out(change.apply)
                return self._look(before)
        except psycopg.Error:
            return None

    @property
    def _failures(self) -> tuple[type[Exception], ...]:
        import psycopg

        return (psycopg.Error,)

    def _make(self, statements: tuple[str, ...], *, undo: tuple[str, ...]) -> None:
        with self._connection.transaction():  # it takes back what fails
            self._carry_out(statements)

    def _carry_out(self, statements: tuple[str, ...]) -> None:
        self._connection.execute(f"SET LOCAL statement_timeout = {BUILD_LIMIT_S * 1e3:.0f}")
        for statement in statements:
            self._connection.execute(in_transaction(statement))

    def _fingerprint(self) -> Fingerprint:
        """Indexes by table and name, each with its definition and bytes; statistics likewise."""
        rows = self._connection.execute(_FINGERPRINT).fetchall()
        names = {(t.schema, t.bare_name or t.name): t.name for t in self._catalog.tables}
        return {
            (names.get((str(schema), str(table)), str(table)), str(name)): (definition, int(size))
            for schema, table, name, definition, size in rows
        }

    def _first_run(self, sample: Sample) -> tuple[tuple[str, ...], Execution] | None:
        return self._read(sample, limit_s=STATEMENT_LIMIT_S)

    def _plan(self, sample: Sample) -> tuple[str, ...]:
        return self._replayer.plan(sample).signature

    def _run_again(self, state: ReadState) -> Execution | None:
        limit_s = max(SLOWER * state.run.seconds, 0.2)
        found = self._read(state.sample, limit_s=min(limit_s, STATEMENT_LIMIT_S))
        return found[1] if found is not None else None

    def _read(self, sample: Sample, *, limit_s: float) -> tuple[tuple[str, ...], Execution] | None:
        """Run a read; None when it fails."""
        import psycopg

        try:
            plan, seconds = self._replayer.explain(sample, limit_s=limit_s)
            shown: Plan = plan or self._replayer.plan(sample)
        except psycopg.Error:
            return None
        return shown.signature, executed(plan, seconds=seconds)

    def _saved_ms(self, rerun: Rerun) -> float:
        """What one execution saves; the clock overrules work that misleads.

        A join by index can touch more buffers than one by hash, and still be done sooner.
        """
        before, run = rerun.state.run, rerun.run
        if not _contradicts(rerun.saved_ms, before=before, after=run):
            return rerun.saved_ms
        again = self._read(rerun.state.sample, limit_s=STATEMENT_LIMIT_S)
        seconds = min(run.seconds, again[1].seconds) if again else run.seconds
        if _contradicts(rerun.saved_ms, before=before, after=replace(run, seconds=seconds)):
            return (before.seconds - seconds) * 1e3
        return rerun.saved_ms

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

    def _would_change(self, states: Sequence[ReadState]) -> bool:
        return any(self._plan(s.sample) != s.plan for s in states)


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
