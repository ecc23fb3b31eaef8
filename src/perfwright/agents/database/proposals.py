"""Proposals for indexes, as the remedies make them: predicted roughly, before any trial."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.balance import balance_of
from perfwright.agents.database.candidates import candidates
from perfwright.agents.database.catalog import Index
from perfwright.agents.database.design import IndexDesign, creation, removal
from perfwright.agents.database.facts import AccessFacts
from perfwright.agents.database.knowledge import Candidate, Kind, Knowledge
from perfwright.core import Finding, Layer, Prediction, Proposal, Risk, Scope

HOPE = 0.5  # of a finding's cost, until a trial build tells
ENTRY_BYTES = 12  # of an index entry besides its columns; only a first guess

BLOCKS_TO_A_RANGE = 128  # a BRIN index holds one entry for each range


def knowledge_of(artifacts: DatabaseArtifacts) -> Knowledge:
    """Collect what candidates depend on."""
    return Knowledge(catalog=artifacts.catalog, term_counts=artifacts.term_counts)


def access_candidates(
    artifacts: DatabaseArtifacts, findings: tuple[Finding, ...], *, kinds: frozenset[Kind]
) -> Iterator[tuple[Candidate, Finding]]:
    """Yield the candidates of some kinds for the accesses that findings are about.

    Tables that are mostly written, by statements that cannot be measured, get none.
    """
    knowledge = knowledge_of(artifacts)
    for finding in findings:
        if not isinstance(finding.facts, AccessFacts):
            continue
        access = finding.facts.access
        if balance_of(artifacts, access.table).closed:
            continue
        for candidate in candidates(access, knowledge):
            if candidate.kind in kinds:
                yield candidate, finding


def index_proposal(
    artifacts: DatabaseArtifacts,
    designs: tuple[IndexDesign, ...],
    *,
    remedy: str,
    cost_ms: float,
    scope: Scope = Scope.QUICK_WIN,
) -> Proposal:
    """Propose to make indexes."""
    total = sum(o.total_ms for o in artifacts.workload or ())
    gain = HOPE * cost_ms
    return Proposal(
        layer=Layer.DATABASE,
        remedy=remedy,
        change=creation(designs, artifacts.catalog),
        predicted=Prediction(
            metric="workload",
            ratio=1.0 - gain / total if total else 1.0,
            gain=gain,
            basis="half of what the statements cost now: a guess",
        ),
        risk=Risk.MEDIUM,
        scope=scope,
        size_bytes=sum(_guessed_bytes(artifacts, design) for design in designs),
    )


def removal_proposal(
    artifacts: DatabaseArtifacts, index: Index, *, remedy: str, reason: str, cost_ms: float
) -> Proposal:
    """Propose to drop an index."""
    total = sum(o.total_ms for o in artifacts.workload or ())
    return Proposal(
        layer=Layer.DATABASE,
        remedy=remedy,
        change=removal(index, artifacts.catalog, reason=reason),
        predicted=Prediction(
            metric="workload",
            ratio=1.0 - cost_ms / total if total else 1.0,
            gain=cost_ms,
            basis="what its entries cost the writes: an estimate",
        ),
        risk=Risk.MEDIUM,
        scope=Scope.QUICK_WIN,
        size_bytes=-index.size_bytes,
    )


def _guessed_bytes(artifacts: DatabaseArtifacts, design: IndexDesign) -> int:
    table = artifacts.catalog.table(design.table)
    if table is None:
        return 0
    share = knowledge_of(artifacts).share(table, design.where) if design.where else 1.0
    per_column = table.size_bytes / max(table.rows, 1) / max(len(table.columns), 1)
    columns = len(design.keys) + len(design.included)
    size = int(share * table.rows * (ENTRY_BYTES + per_column * columns))
    return size // BLOCKS_TO_A_RANGE if design.method == "brin" else size
