"""Columns that depend on each other, which the planner does not know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, PlanStep, Term
from perfwright.agents.database.catalog import Catalog, Table
from perfwright.agents.database.examples import read
from perfwright.agents.database.facts import CorrelationFacts, accesses_of, busy
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.core import Detector, Finding, Layer, Scope

FACTOR = 100.0
MIN_ROWS = 100.0
MAX_COLUMNS = 4
MAX_CHANGED = 0.2  # of the rows since ANALYZE: beyond that, it is ANALYZE that is missing
_FIXED = frozenset({"=", "in"})
_INCOMPARABLE = ("json", "xml", "point", "box", "path", "polygon", "circle", "line")


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each access with far more rows than its conditions promised."""
    seen = set[tuple[str, tuple[str, ...]]]()
    for observation in busy(artifacts):
        for step in observation.plan:
            if not _is_misjudged(step):
                continue
            for access in accesses_of(observation, step):
                table = artifacts.catalog.table(access.table)
                columns = _columns(access, table) if table else ()
                if table is None or len(columns) < 2 or (table.name, columns) in seen:
                    continue
                if not _is_fresh(table) or _is_known(table, columns, catalog=artifacts.catalog):
                    continue
                seen.add((table.name, columns))
                yield Finding(
                    subject=observation.shape.text,
                    evidence=f"{step.rows or 0:.0f} rows of {table.name} where the planner "
                    f"expected {step.expected_rows or 0:.0f}: it takes {', '.join(columns)} for "
                    "independent",
                    cost=observation.total_ms,
                    confidence=0.5,
                    facts=CorrelationFacts(table=table.name, columns=columns),
                )


def _is_misjudged(step: PlanStep) -> bool:
    """Too many only: too few may be due to a LIMIT that stopped the step early."""
    if step.rows is None or step.expected_rows is None or step.rows < MIN_ROWS:
        return False
    return step.rows >= FACTOR * max(step.expected_rows, 1.0)


def _columns(access: Access, table: Table) -> tuple[str, ...]:
    fixed = (term.column for term in access.terms if term.column and term.operator in _FIXED)
    known = (column for name in dict.fromkeys(fixed) if (column := table.column(name)))
    fit = [c.name for c in known if c.statistics and not c.type.startswith(_INCOMPARABLE)]
    return tuple(sorted(fit)[:MAX_COLUMNS])


def _is_fresh(table: Table) -> bool:
    activity = table.activity
    return activity is None or (
        activity.analyzed and activity.modified_rows <= MAX_CHANGED * max(table.rows, 1)
    )


def _is_known(table: Table, columns: tuple[str, ...], *, catalog: Catalog) -> bool:
    return any(
        s.table == table.name
        and set(columns) <= set(s.columns)
        and {"mcv", "dependencies"} & set(s.kinds)
        for s in catalog.extended_statistics
    )


_ACCESS = Access(
    table="orders",
    alias="orders",
    terms=(
        Term(key="customer", column="customer", operator="="),
        Term(key="state", column="state", operator="="),
    ),
)


def _with(expected: float) -> DatabaseArtifacts:
    step = PlanStep(
        detail="Seq Scan on orders",
        table="orders",
        action="scan",
        expected_rows=expected,
        rows=5_000.0,
    )
    base = looked_at(None, read(_ACCESS, plan=(step,)))
    return replace(base, server=None)


RULE = Detector(
    id="correlated-columns",
    layer=Layer.DATABASE,
    title="Tell the planner which columns depend on each other",
    why="It multiplies the shares of the conditions, so it expects far too few rows and joins "
    "them one by one.",
    needs=("workload",),
    scope=Scope.COMPREHENSIVE,
    find=find,
    limits="Only conditions with fixed values on one table; a wrong guess may come from elsewhere.",
    fires_on=_with(3.0),
    silent_on=_with(4_000.0),
)
