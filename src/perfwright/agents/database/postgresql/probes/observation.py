"""What each shape of a workload costs on the copy, as the database is now."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

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
from perfwright.agents.database.naming import literal
from perfwright.agents.database.postgresql.probes.connection import Connection, first_line
from perfwright.agents.database.postgresql.probes.generic import explain_generic
from perfwright.agents.database.postgresql.probes.plans import Plan, read_plan
from perfwright.agents.database.postgresql.probes.replay import Replayer, UnsafeStatementError
from perfwright.agents.database.room import room_for
from perfwright.agents.database.schedule import spread
from perfwright.agents.database.workload import tokenize
from perfwright.core import Progress

STATEMENT_LIMIT_S = 4.0  # for one statement; a hopeless one is charged this and kept
SHAPE_LIMIT_S = 0.8  # for all samples of a shape; what scans takes about the same each time
MAX_READS = 6  # samples that are executed
MAX_WRITES = 6
COUNT_LIMIT_S = 2.0
WORK_PER_S = 2e6  # of a statement that was stopped: buffers in memory, measured 1 to 4 million


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Looks at shapes one by one; one that fails never stops the others."""

    replayer: Replayer
    catalog: Catalog

    def observe(self, shapes: tuple[Shape, ...], progress: Progress) -> tuple[Observation, ...]:
        """Look at all shapes, the costliest first in the answer."""
        found = []
        for number, shape in enumerate(shapes, start=1):
            progress(f"statement {number} of {len(shapes)}")
            found.append(self._observe(shape))
        return tuple(sorted(found, key=lambda o: (-o.total_ms, -o.shape.calls, o.shape.id)))

    def term_counts(self, observations: tuple[Observation, ...]) -> tuple[TermCount, ...]:
        """Count the rows that satisfy each constant condition."""
        import psycopg

        wanted = dict.fromkeys(
            (access.table, term)
            for o in observations
            for access in o.accesses
            for term in access.constants
        )
        connection = self.replayer.connection
        found = []
        for name, term in wanted:
            table = self.catalog.table(name)
            if table is None:
                continue
            query = f"SELECT count(*) FROM {table.relation} WHERE {term}"
            try:
                with connection.transaction(force_rollback=True):
                    connection.execute(f"SET LOCAL statement_timeout = {COUNT_LIMIT_S * 1e3:.0f}")
                    row: Any = connection.execute(query).fetchone()
            except psycopg.Error:  # too slow, or words that mean nothing outside their statement
                continue
            found.append(TermCount(table=name, term=term, rows=int(row[0])))
        return tuple(found)

    def _observe(self, shape: Shape) -> Observation:
        analysis = analyse(shape, self.catalog)
        samples = tuple(literal_samples(shape.samples, self.replayer.connection))
        shape, plan, cost, problem = self._execute(replace(shape, samples=samples))
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
        import psycopg

        if not shape.samples:
            return (
                shape,
                self._generic(shape),
                None,
                "cannot be executed (no values of it are known)",
            )
        usable, problem = [], ""
        for sample in shape.samples:
            try:
                self.replayer.plan(sample)
                usable.append(sample)
            except (psycopg.Error, UnsafeStatementError) as error:
                problem = first_line(error)
        runs: list[Execution] = []
        plan: Plan | None = None
        for sample in spread(tuple(usable), MAX_WRITES if shape.write else MAX_READS):
            try:
                run, seen = self._run(sample, write=shape.write)
            except (psycopg.Error, UnsafeStatementError) as error:
                problem = first_line(error)
                usable.remove(sample)
                continue
            runs.append(run)
            plan = plan or seen
            if sum(run.seconds for run in runs) > SHAPE_LIMIT_S or run.stopped:
                break
        if not runs:
            return shape, (), None, f"cannot be executed ({problem})"
        steps = plan.steps if plan else self.replayer.plan(usable[0]).steps
        return replace(shape, samples=tuple(usable)), steps, _average(runs, plan=plan), None

    def _generic(self, shape: Shape) -> tuple[PlanStep, ...]:
        """The plan for whatever values; none where the server cannot tell their types."""
        import psycopg

        try:
            with self.replayer.connection.transaction(force_rollback=True):
                document = explain_generic(
                    self.replayer.connection, shape.template, major=self.catalog.major
                )
        except psycopg.Error:
            return ()
        return read_plan(document).steps

    def _run(self, sample: Sample, *, write: bool) -> tuple[Execution, Plan | None]:
        if write:
            room = room_for(sample, self.catalog)
            return self.replayer.write(sample, limit_s=STATEMENT_LIMIT_S, room=room), None
        plan, seconds = self.replayer.explain(sample, limit_s=STATEMENT_LIMIT_S)
        return executed(plan, seconds=seconds), plan

    def _known(self, name: str | None) -> str | None:
        table = self.catalog.table(name) if name else None
        return table.name if table is not None else name

    def _tables(self, analysis: Analysis) -> tuple[str, ...]:
        """All tables that a shape can touch, through foreign keys as well."""
        names = {access.table for access in analysis.accesses}
        target = self._known(analysis.target)
        if target:
            names |= {target} | set(related(target, self.catalog))
        return tuple(sorted(names))


def executed(plan: Plan | None, *, seconds: float) -> Execution:
    """What an execution took; where it was stopped, what it had taken by then."""
    if plan is None:
        work = seconds * WORK_PER_S
        return Execution(seconds=seconds, work=work, rows=0.0, pages=work, stopped=True)
    return Execution(seconds=plan.seconds, work=plan.work, rows=plan.rows, pages=plan.pages)


def related(table: str, catalog: Catalog) -> Iterator[str]:
    """Yield the tables that foreign keys look at when a row of `table` is written."""
    seen = {table}
    open_tables = [table]
    while open_tables:
        current = open_tables.pop()
        for key in catalog.foreign_keys:
            if key.parent == current and key.table not in seen:
                seen.add(key.table)
                open_tables.append(key.table)
                yield key.table


_NUMBERED = re.compile(r"\$(\d+)\Z")


def literal_samples(samples: tuple[Sample, ...], connection: Connection) -> Iterator[Sample]:
    """Yield the samples with their parameters written into the text.

    A value that is bound to `$1` is written as a quoted literal without a type, as drivers send it.
    """
    from psycopg import ClientCursor

    cursor = ClientCursor(connection)
    for sample in samples:
        given = sample.parameters
        if given is None:
            yield sample
        elif isinstance(given, tuple) and not _is_drivers(sample.sql):
            yield replace(sample, sql=_numbered(sample.sql, given), parameters=None)
        else:
            yield replace(sample, sql=cursor.mogrify(sample.sql, given), parameters=None)


def _is_drivers(sql: str) -> bool:
    """Whether it has parameters as the driver writes them: `%s`, not in a string."""
    return any(t.kind == "parameter" and t.text[0] == "%" for t in tokenize(sql, "postgres"))


def _numbered(sql: str, values: tuple[object, ...]) -> str:
    parts: list[str] = []
    end = 0
    for token in tokenize(sql, "postgres"):
        match = _NUMBERED.match(token.text)
        if match is None or not 0 < int(match[1]) <= len(values):
            continue
        parts += [sql[end : token.start], _written(values[int(match[1]) - 1])]
        end = token.end
    return "".join([*parts, sql[end:]])


def _written(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list():
            return literal(_array(value))
        case _:
            return literal(str(value))


def _array(values: list[object]) -> str:
    """A list in the text form of an array."""
    return "{" + ",".join(map(_item, values)) + "}"


def _item(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case list():
            return _array(value)
        case _:
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'


def _average(runs: list[Execution], *, plan: Plan | None) -> Cost:
    return Cost(
        ms=fmean(run.seconds for run in runs) * 1e3,
        steps=fmean(run.work for run in runs),
        rows=fmean(run.rows for run in runs),
        pages=fmean(run.pages for run in runs),
        timed_out=any(run.stopped for run in runs),
        temp_pages=plan.temp_pages if plan else 0.0,
        jit_functions=plan.jit_functions if plan else 0.0,
        workers=plan.workers if plan else 0.0,
    )
