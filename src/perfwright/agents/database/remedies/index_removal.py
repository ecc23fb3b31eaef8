"""Indexes dropped that are copies, fronts of others, or in no plan."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.facts import IndexFacts
from perfwright.agents.database.proposals import removal_proposal
from perfwright.agents.database.upkeep import is_protected
from perfwright.core import Finding, Layer, Proposal, Remedy, Scope


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose to drop each index that enforces nothing.

    What another removal relies on stays: else a copy would go because of its twin, and then the
    twin because nobody uses it.
    """
    costs = [(f.facts, f.cost) for f in findings if isinstance(f.facts, IndexFacts)]
    relied_on = {facts.instead for facts, _ in costs}
    for facts, cost_ms in costs:
        index = artifacts.catalog.index(facts.index)
        if index is None or index.name in relied_on or is_protected(index, artifacts.catalog):
            continue
        yield removal_proposal(
            artifacts, index, remedy="index-removal", reason=facts.reason, cost_ms=cost_ms
        )


RULE = Remedy(
    id="index-removal",
    layer=Layer.DATABASE,
    answers=("duplicate-index", "redundant-index", "unused-index"),
    scope=Scope.QUICK_WIN,
    propose=propose,
    why="It pays for the writes of the indexes that help.",
)
