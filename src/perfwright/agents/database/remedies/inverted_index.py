"""GIN indexes, which hold what is within the values."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.knowledge import Kind
from perfwright.agents.database.proposals import access_candidates, index_proposal
from perfwright.core import Finding, Layer, Proposal, Remedy, Scope

_KINDS: frozenset[Kind] = frozenset({"inverted"})


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose one index for each term; none where its extension is not installed."""
    for candidate, finding in access_candidates(artifacts, findings, kinds=_KINDS):
        yield index_proposal(
            artifacts, (candidate.design,), remedy="inverted-index", cost_ms=finding.cost
        )


RULE = Remedy(
    id="inverted-index",
    layer=Layer.DATABASE,
    answers=("inverted-search",),
    scope=Scope.QUICK_WIN,
    propose=propose,
    why="It lists the rows of each part: of each three letters, key, element or word.",
)
