"""An index that finds the children of a parent row."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.balance import balance_of
from perfwright.agents.database.design import DesignKey, design_on
from perfwright.agents.database.facts import ForeignKeyFacts
from perfwright.agents.database.naming import quote
from perfwright.agents.database.postgresql_candidates import without_nulls
from perfwright.agents.database.proposals import index_proposal, knowledge_of
from perfwright.core import Finding, Layer, Proposal, Remedy, Scope


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose one index for each foreign key."""
    for finding in findings:
        if not isinstance(finding.facts, ForeignKeyFacts):
            continue
        key = finding.facts.key
        table = knowledge_of(artifacts).indexable(key.table)
        if table is None or balance_of(artifacts, key.table).closed:
            continue
        keys = tuple(DesignKey(text=quote(c), column=c, equality=True) for c in key.columns)
        design = design_on(table, keys, where=without_nulls(table, keys[0]))
        yield index_proposal(artifacts, (design,), remedy="foreign-key-index", cost_ms=finding.cost)


RULE = Remedy(
    id="foreign-key-index",
    layer=Layer.DATABASE,
    answers=("unindexed-foreign-key",),
    scope=Scope.QUICK_WIN,
    propose=propose,
    why="A delete of a parent then finds its children at once.",
)
