"""An index for each side of an OR, made together."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.balance import balance_of
from perfwright.agents.database.candidates import branch_designs
from perfwright.agents.database.facts import AccessFacts
from perfwright.agents.database.proposals import index_proposal, knowledge_of
from perfwright.core import Finding, Layer, Proposal, Remedy, Scope


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose the indexes that the sides lack: one alone would not be used."""
    for finding in findings:
        if not isinstance(finding.facts, AccessFacts):
            continue
        access = finding.facts.access
        if balance_of(artifacts, access.table).closed:
            continue
        designs = branch_designs(access, knowledge_of(artifacts))
        if designs:
            yield index_proposal(
                artifacts,
                designs,
                remedy="alternative-indexes",
                cost_ms=finding.cost,
            )


RULE = Remedy(
    id="alternative-indexes",
    layer=Layer.DATABASE,
    answers=("unindexed-alternative",),
    scope=Scope.QUICK_WIN,
    propose=propose,
    why="The database searches once for each side and joins the rows found.",
)
