"""Indexes over the rows that a constant condition leaves."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.knowledge import Kind
from perfwright.agents.database.proposals import access_candidates, index_proposal
from perfwright.core import Finding, Layer, Proposal, Remedy, Scope

_KINDS: frozenset[Kind] = frozenset({"partial"})


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose indexes whose condition stands in the statement word for word."""
    for candidate, finding in access_candidates(artifacts, findings, kinds=_KINDS):
        yield index_proposal(
            artifacts, (candidate.design,), remedy="partial-index", cost_ms=finding.cost
        )


RULE = Remedy(
    id="partial-index",
    layer=Layer.DATABASE,
    answers=("selective-constant",),
    scope=Scope.QUICK_WIN,
    propose=propose,
    why="It holds only the rows that are asked for: small, and untouched by writes to the others.",
)
