"""The detectors and remedies of the database agent, other packages' included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from perfwright.agents.database import detectors, remedies
from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.facts import AccessFacts
from perfwright.core import (
    Detector,
    IdentifiedFinding,
    Layer,
    Proposal,
    Remedy,
    Scope,
    discover,
)

DETECTOR_GROUP = "perfwright.detectors"
REMEDY_GROUP = "perfwright.remedies"


def all_detectors() -> tuple[Detector[DatabaseArtifacts], ...]:
    """Every detector of the database layer."""
    rules = discover(detectors, kind=Detector, group=DETECTOR_GROUP)
    return tuple(rule for rule in rules if rule.layer is Layer.DATABASE)


def all_remedies() -> tuple[Remedy[DatabaseArtifacts], ...]:
    """Every remedy of the database layer."""
    rules = discover(remedies, kind=Remedy, group=REMEDY_GROUP)
    return tuple(rule for rule in rules if rule.layer is Layer.DATABASE)


def judge(artifacts: DatabaseArtifacts) -> tuple[IdentifiedFinding, ...]:
    """Run every detector; costliest findings first."""
    found = [
        (rule.id, finding)
        for rule in all_detectors()
        if all(getattr(artifacts, need) is not None for need in rule.needs)
        for finding in rule.find(artifacts)
    ]
    found.sort(key=lambda pair: (-pair[1].cost, pair[0], pair[1].subject, pair[1].evidence))
    return tuple(
        IdentifiedFinding(
            id=f"db-{number}", detector=detector, layer=Layer.DATABASE, finding=finding
        )
        for number, (detector, finding) in enumerate(found, start=1)
    )


def answer(
    artifacts: DatabaseArtifacts, findings: tuple[IdentifiedFinding, ...], *, scope: Scope
) -> tuple[Proposal, ...]:
    """Run every remedy of the scope; equal changes become one proposal.

    Returns:
        Proposals with the findings that they answer, the most promising first.
    """
    merged: dict[tuple[str, ...], Proposal] = {}
    for remedy in all_remedies():
        if not scope.includes(remedy.scope):
            continue
        for proposal in _of(remedy, artifacts, findings=findings):
            known = merged.get(proposal.change.apply)
            if known is None:
                merged[proposal.change.apply] = proposal
            else:
                merged[proposal.change.apply] = replace(
                    known, because=tuple(dict.fromkeys((*known.because, *proposal.because)))
                )
    return tuple(sorted(merged.values(), key=lambda p: (-p.predicted.gain, p.change.subject)))


def _of(
    remedy: Remedy[DatabaseArtifacts],
    artifacts: DatabaseArtifacts,
    *,
    findings: tuple[IdentifiedFinding, ...],
) -> Iterator[Proposal]:
    """Ask a remedy about each finding alone, to know its cause, then about all together."""
    mine = [f for f in findings if f.detector in remedy.answers]
    alone = set[tuple[str, ...]]()
    for identified in mine:
        for proposal in remedy.propose(artifacts, (identified.finding,)):
            alone.add(proposal.change.apply)
            yield replace(proposal, because=(identified.id,))
    if len(mine) > 1:
        for proposal in remedy.propose(artifacts, tuple(f.finding for f in mine)):
            if proposal.change.apply not in alone:
                yield replace(proposal, because=_causes(proposal, mine, catalog=artifacts.catalog))


def _causes(
    proposal: Proposal, findings: list[IdentifiedFinding], *, catalog: Catalog
) -> tuple[str, ...]:
    """The findings about a table that the change names."""
    words = " ".join(proposal.change.apply)
    named = {t.name for t in catalog.tables if f" {t.relation}" in words}
    return tuple(
        f.id
        for f in findings
        if isinstance(f.finding.facts, AccessFacts) and f.finding.facts.access.table in named
    )
