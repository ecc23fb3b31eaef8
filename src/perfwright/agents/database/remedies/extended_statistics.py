"""CREATE STATISTICS on columns that depend on each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.catalog import Table
from perfwright.agents.database.design import PREFIX
from perfwright.agents.database.facts import CorrelationFacts
from perfwright.agents.database.naming import quote
from perfwright.agents.database.postgresql_ddl import KIND_DDL
from perfwright.core import ChangeSpec, Finding, Layer, Prediction, Proposal, Remedy, Risk, Scope


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose one object for each group of columns."""
    for finding in findings:
        facts = finding.facts
        if not isinstance(facts, CorrelationFacts) or artifacts.catalog.is_replica:
            continue
        table = artifacts.catalog.table(facts.table)
        if table is not None:
            yield Proposal(
                layer=Layer.DATABASE,
                remedy="extended-statistics",
                change=statistics_on(table, facts.columns),
                predicted=Prediction(
                    metric="workload", ratio=1.0, gain=0.0, basis="unknown before a trial"
                ),
                risk=Risk.MEDIUM,
                scope=Scope.COMPREHENSIVE,
            )


def statistics_on(table: Table, columns: tuple[str, ...]) -> ChangeSpec:
    """Build the change; the statistics say nothing before ANALYZE."""
    digest = hashlib.sha256(f"{table.relation}({columns})".encode()).hexdigest()[:12]
    name = f"{quote(table.schema)}.{quote(f'{PREFIX}statistics_{digest}')}"
    listed = ", ".join(quote(column) for column in columns)
    return ChangeSpec(
        kind=KIND_DDL,
        subject=f"statistics of {table.name}({', '.join(columns)})",
        apply=(
            f"CREATE STATISTICS IF NOT EXISTS {name} (ndistinct, dependencies, mcv) "
            f"ON {listed} FROM {table.relation}",
            f"ANALYZE {table.relation}",
        ),
        revert=(f"DROP STATISTICS IF EXISTS {name}",),
        summary=f"extended statistics on {table.name}({', '.join(columns)}), and ANALYZE",
    )


RULE = Remedy(
    id="extended-statistics",
    layer=Layer.DATABASE,
    answers=("correlated-columns",),
    scope=Scope.COMPREHENSIVE,
    propose=propose,
    why="The planner then knows which values occur together, and how often.",
)
