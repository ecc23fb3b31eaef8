"""Indexes that hold every column a statement reads."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.knowledge import Kind
from perfwright.agents.database.proposals import access_candidates, index_proposal
from perfwright.core import Finding, Layer, Proposal, Remedy, Scope

_KINDS: frozenset[Kind] = frozenset({"covering"})


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose the columns to search by, followed by those that are only read."""
    for candidate, finding in access_candidates(artifacts, findings, kinds=_KINDS):
        yield index_proposal(
            artifacts,
            (candidate.design,),
            remedy="covering-index",
            cost_ms=finding.cost,
            scope=Scope.COMPREHENSIVE,
        )


RULE = Remedy(
    id="covering-index",
    layer=Layer.DATABASE,
    answers=("automatic-index", "broad-search", "full-scan", "unindexed-sort", "wide-lookup"),
    scope=Scope.COMPREHENSIVE,
    propose=propose,
    why="The table itself is not read at all.",
)
