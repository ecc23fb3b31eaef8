"""Unfinished indexes dropped."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.catalog import Index
from perfwright.agents.database.facts import IndexFacts
from perfwright.agents.database.postgresql_examples import looked_at, pg_index
from perfwright.agents.database.remedies.invalid_index_removal import propose
from perfwright.core import Finding

HALF = replace(pg_index("half", "customer"), valid=False)
FOUND = (
    Finding(
        subject="half",
        evidence="unfinished",
        cost=0.0,
        facts=IndexFacts(index="half", reason="it was never finished"),
    ),
)


def proposed(artifacts: DatabaseArtifacts) -> list[tuple[str, ...]]:
    return [proposal.change.apply for proposal in propose(artifacts, FOUND)]


def seen(index: Index) -> DatabaseArtifacts:
    return looked_at(indexes=(index,))


def test_it_is_dropped_without_locking_anybody_out() -> None:
    assert proposed(seen(HALF)) == [('DROP INDEX CONCURRENTLY IF EXISTS "public"."half"',)]


def test_a_valid_index_is_never_dropped_by_this_rule() -> None:
    assert proposed(seen(replace(HALF, valid=True))) == []


def test_the_index_of_a_constraint_is_left_alone() -> None:
    assert proposed(seen(replace(HALF, constraint=True))) == []


def test_nothing_is_dropped_on_a_replica() -> None:
    artifacts = seen(HALF)
    replica = replace(artifacts, catalog=replace(artifacts.catalog, is_replica=True))
    assert proposed(replica) == []
