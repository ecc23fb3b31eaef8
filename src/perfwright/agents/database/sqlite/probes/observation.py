"""What each shape of a workload costs on the scratch copy, as the database is now."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from statistics import fmean

from perfwright.agents.database.access import Analysis, analyse
from perfwright.agents.database.artifacts import (
    Cost,
    Observation,
    PlanStep,
    Sample,
    Shape,
    TermCount,
)
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.execution import Execution
from perfwright.agents.database.naming import quote
from perfwright.agents.database.room import room_for
from perfwright.agents.database.schedule import spread
from perfwright.agents.database.sqlite.probes.plans import explain
from perfwright.agents.database.sqlite.probes.replay import Replayer, interrupted_after
from perfwright.core import Progress

STATEMENT_LIMIT_S = 2.0  # for one statement; a hopeless one is charged this and kept
SHAPE_LIMIT_S = 0.5  # for all samples of a shape; what scans takes about the same each time
MAX_READS = 6  # samples that are executed
MAX_WRITES = 6
COUNT_LIMIT_S = 2.0
_FAILURES = (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Looks at shapes one by one; one that fails never stops the others."""

    replayer: Replayer
    catalog: Catalog
    foreign_keys: bool

    def observe(self, shapes: tuple[Shape, ...], progress: Progress) -> tuple[Observation, ...]:
        """Look at all shapes, the costliest first in the answer."""
        found = []
        for number, shape in enumerate(shapes, start=1):
            progress(f"statement {number} of {len(shapes)}")
            found.append(self._observe(shape))
        return tuple(sorted(found, key=lambda o: (-o.total_ms, -o.shape.calls, o.shape.id)))

    def term_counts(self, observations: tuple[Observation, ...]) -> tuple[TermCount, ...]:
        """Count the rows that satisfy each constant condition."""
        wanted = dict.fromkeys(
            (access.table, term)
            for o in observations
            for access in o.accesses
            for term in access.constants
        )
        found = []
        for table, term in wanted:
            sql = f"SELECT count(*) FROM {quote(table)} WHERE {term}"
            try:
                with interrupted_after(self.replayer.connection, seconds=COUNT_LIMIT_S):
                    (rows,) = self.replayer.connection.execute(sql).fetchone()
            except sqlite3.Error:  # too slow, or words that mean nothing outside their statement
                continue
            found.append(TermCount(table=table, term=term, rows=int(rows)))
        return tuple(found)

    def _observe(self, shape: Shape) -> Observation:
        analysis = analyse(shape, self.catalog)
        shape, plan, cost, problem = self._execute(shape)
        return Observation(
            shape=shape,
            accesses=analysis.accesses,
            tables=self._tables(analysis),
            target=self._known(analysis.target),
            plan=plan,
            cost=cost,
            problem=problem or analysis.problem,
            ordered=analysis.ordered,
        )

    def _execute(self, shape: Shape) -> tuple[Shape, tuple[PlanStep, ...], Cost | None, str | None]:
        """Plan and run a shape; executions that fail are left out of it, and the rest goes on."""
        plans, usable, problem = [], [], ""
        for sample in shape.samples:
            try:
                plans.append(explain(self.replayer.connection, sample))
                usable.append(sample)
            except _FAILURES as error:
                problem = str(error)
        runs: list[Execution] = []
        for sample in spread(tuple(usable), MAX_WRITES if shape.write else MAX_READS):
            try:
                runs.append(self._run(sample, write=shape.write))
            except _FAILURES as error:
                problem = str(error)
                usable.remove(sample)
                continue
            if sum(run.seconds for run in runs) > SHAPE_LIMIT_S or runs[-1].stopped:
                break
        if not runs:
            return shape, (), None, f"cannot be executed ({problem})"
        return replace(shape, samples=tuple(usable)), plans[0], _average(runs), None

    def _run(self, sample: Sample, *, write: bool) -> Execution:
        if write:
            room = room_for(sample, self.catalog)
            return self.replayer.write(sample, limit_s=STATEMENT_LIMIT_S, room=room)
        return self.replayer.read(sample, limit_s=STATEMENT_LIMIT_S, runs=2)

    def _known(self, name: str | None) -> str | None:
        table = self.catalog.table(name) if name else None
        return table.name if table is not None else name

    def _tables(self, analysis: Analysis) -> tuple[str, ...]:
        """All tables that a shape can touch, through triggers and foreign keys as well."""
        names = {access.table for access in analysis.accesses}
        target = self._known(analysis.target)
        if target:
            names |= {target}
            if self.foreign_keys:
                names |= cascade(target, self.catalog)
        return tuple(sorted(names))


def cascade(table: str, catalog: Catalog) -> set[str]:
    """Return the tables whose rows are looked at or changed when a row of `table` is written."""
    found: set[str] = set()
    open_tables = [table]
    while open_tables:
        current = open_tables.pop()
        for key in catalog.foreign_keys:
            if key.parent.casefold() == current.casefold() and key.table not in found:
                found.add(key.table)
                open_tables.append(key.table)
    return found


def _average(runs: list[Execution]) -> Cost:
    return Cost(
        ms=fmean(run.seconds for run in runs) * 1e3,
        steps=fmean(run.work for run in runs),
        rows=fmean(run.rows for run in runs),
        pages=fmean(run.pages for run in runs),
        timed_out=any(run.stopped for run in runs),
    )
