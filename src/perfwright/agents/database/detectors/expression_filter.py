"""Conditions on an expression, which an index on the column cannot answer."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import INVERTED, Access, DatabaseArtifacts, Term
from perfwright.agents.database.examples import artifacts, read
from perfwright.agents.database.facts import access_finding, busy
from perfwright.core import Detector, Finding, Layer, Scope


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each access that compares or sorts by an expression."""
    for observation in busy(artifacts):
        for access in observation.accesses:
            expressions = [
                term.key
                for term in access.terms
                if term.column is None and term.operator not in INVERTED
            ]
            expressions += [
                key.key for key in (*access.order, *access.grouping) if key.column is None
            ]
            if expressions:
                yield access_finding(
                    observation,
                    access,
                    evidence=f"computes {expressions[0]} for the rows of {access.table}",
                )


RULE = Detector(
    id="expression-filter",
    layer=Layer.DATABASE,
    title="Index the expression, or rewrite the condition to the bare column",
    why="The value is computed for row after row; an expression index holds it ready.",
    needs=("workload",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="Expressions that hold a parameter cannot be indexed.",
    fires_on=artifacts(
        read(
            Access(
                table="orders",
                alias="orders",
                terms=(Term(key="lower(customer)", column=None, operator="="),),
            )
        )
    ),
    silent_on=artifacts(
        read(
            Access(
                table="orders",
                alias="orders",
                terms=(Term(key='"customer"', column="customer", operator="="),),
            )
        )
    ),
)
