"""Indexes on columns: those compared for equality, then one range or the order."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.knowledge import Kind
from perfwright.agents.database.proposals import access_candidates, index_proposal
from perfwright.core import Finding, Layer, Proposal, Remedy, Scope

_KINDS: frozenset[Kind] = frozenset({"composite"})


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose one index for each way to serve an access."""
    for candidate, finding in access_candidates(artifacts, findings, kinds=_KINDS):
        yield index_proposal(
            artifacts, (candidate.design,), remedy="composite-index", cost_ms=finding.cost
        )


RULE = Remedy(
    id="composite-index",
    layer=Layer.DATABASE,
    answers=("automatic-index", "broad-search", "full-scan", "unindexed-sort"),
    scope=Scope.QUICK_WIN,
    propose=propose,
    why="Equal values lie side by side, so a range or an order can follow them in the same index.",
)
