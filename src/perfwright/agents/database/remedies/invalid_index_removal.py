"""Unfinished indexes dropped."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.facts import IndexFacts
from perfwright.agents.database.proposals import removal_proposal
from perfwright.core import Finding, Layer, Proposal, Remedy, Scope


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose to drop each; not those of constraints, and nothing on a replica."""
    for finding in findings:
        if not isinstance(finding.facts, IndexFacts) or artifacts.catalog.is_replica:
            continue
        index = artifacts.catalog.index(finding.facts.index)
        if index is None or index.valid or index.constraint or index.partition_of is not None:
            continue
        yield removal_proposal(
            artifacts,
            index,
            remedy="invalid-index-removal",
            reason=finding.facts.reason,
            cost_ms=finding.cost,
        )


RULE = Remedy(
    id="invalid-index-removal",
    layer=Layer.DATABASE,
    answers=("invalid-index",),
    scope=Scope.QUICK_WIN,
    propose=propose,
    why="No statement can use it, and writes maintain it.",
)
