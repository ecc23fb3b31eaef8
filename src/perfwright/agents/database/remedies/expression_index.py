"""Indexes on an expression, in the words of the statement."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.knowledge import Kind
from perfwright.agents.database.proposals import access_candidates, index_proposal
from perfwright.core import Finding, Layer, Proposal, Remedy, Scope

_KINDS: frozenset[Kind] = frozenset({"expression"})


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose indexes that hold the value of the expression."""
    for candidate, finding in access_candidates(artifacts, findings, kinds=_KINDS):
        yield index_proposal(
            artifacts, (candidate.design,), remedy="expression-index", cost_ms=finding.cost
        )


RULE = Remedy(
    id="expression-index",
    layer=Layer.DATABASE,
    answers=("expression-filter",),
    scope=Scope.QUICK_WIN,
    propose=propose,
    why="A ready value is compared instead of one computed for each row.",
)
