"""Conditions that are the same in every execution and leave few rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, Term, TermCount
from perfwright.agents.database.examples import artifacts, read
from perfwright.agents.database.facts import access_finding, busy
from perfwright.agents.database.knowledge import Knowledge
from perfwright.core import Detector, Finding, Layer, Scope


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each access with a rare constant condition."""
    knowledge = Knowledge(catalog=artifacts.catalog, term_counts=artifacts.term_counts)
    for observation in busy(artifacts):
        for access in observation.accesses:
            table = artifacts.catalog.table(access.table)
            if table is None:
                continue
            rare = knowledge.rare(table, access.constants)
            if rare:
                share, term = min((knowledge.share(table, (c,)), c) for c in rare)
                yield access_finding(
                    observation,
                    access,
                    evidence=f"always asks for {term}, true for {share * table.rows:.0f} of "
                    f"{table.rows} rows of {access.table}",
                    confidence=0.8,
                )


_OPEN = Access(
    table="orders",
    alias="orders",
    terms=(Term(key='"state"', column="state", operator="="),),
    constants=("state = 'open'",),
)
_READ = artifacts(read(_OPEN))
RULE = Detector(
    id="selective-constant",
    layer=Layer.DATABASE,
    title="Index only the rows that the statement asks for",
    why="A partial index holds the few rows that matter, so it is small and cheap to maintain.",
    needs=("workload",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="SQLite uses it only for statements that repeat the condition word for word, and never "
    "for a bound parameter; PostgreSQL not for the generic plan of a prepared statement.",
    fires_on=replace(
        _READ, term_counts=(TermCount(table="orders", term="state = 'open'", rows=100),)
    ),
    silent_on=replace(
        _READ, term_counts=(TermCount(table="orders", term="state = 'open'", rows=9_000),)
    ),
)
