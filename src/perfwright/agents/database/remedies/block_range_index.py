"""BRIN indexes: a few kilobytes for a table of gigabytes."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.knowledge import Kind
from perfwright.agents.database.proposals import access_candidates, index_proposal
from perfwright.core import Finding, Layer, Proposal, Remedy, Scope

_KINDS: frozenset[Kind] = frozenset({"block-range"})


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose one index for each range."""
    for candidate, finding in access_candidates(artifacts, findings, kinds=_KINDS):
        yield index_proposal(
            artifacts,
            (candidate.design,),
            remedy="block-range-index",
            cost_ms=finding.cost,
            scope=Scope.COMPREHENSIVE,
        )


RULE = Remedy(
    id="block-range-index",
    layer=Layer.DATABASE,
    answers=("block-range",),
    scope=Scope.COMPREHENSIVE,
    propose=propose,
    why="It is so small that writes hardly notice it, and whole groups of blocks are left out.",
)
