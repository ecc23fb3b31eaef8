"""Indexes dropped that are copies, fronts of others, or in no plan."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.facts import IndexFacts
from perfwright.agents.database.proposals import removal_proposal
from perfwright.agents.database.upkeep import is_protected
from perfwright.core import Finding, Layer, Proposal, Remedy, Scope


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose to drop each index that enforces nothing."""
    for finding in findings:
        if not isinstance(finding.facts, IndexFacts):
            continue
        index = artifacts.catalog.index(finding.facts.index)
        if index is not None and not is_protected(index, artifacts.catalog):
            yield removal_proposal(
                artifacts,
                index,
                remedy="index-removal",
                reason=finding.facts.reason,
                cost_ms=finding.cost,
            )


RULE = Remedy(
    id="index-removal",
    layer=Layer.DATABASE,
    answers=("duplicate-index", "redundant-index", "unused-index"),
    scope=Scope.QUICK_WIN,
    propose=propose,
    why="It pays for the writes of the indexes that help.",
)
