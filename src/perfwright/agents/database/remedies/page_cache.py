"""A larger page cache, set by the program for each connection."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.design import page_cache
from perfwright.agents.database.facts import CacheFacts
from perfwright.core import Finding, Layer, Prediction, Proposal, Remedy, Risk, Scope


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose the settings of the trial; durability is left as it is."""
    for finding in findings:
        if isinstance(finding.facts, CacheFacts):
            total = sum(o.total_ms for o in artifacts.workload or ())
            facts = finding.facts
            yield Proposal(
                layer=Layer.DATABASE,
                remedy="page-cache",
                change=page_cache(cache_kib=facts.cache_kib, mmap_bytes=facts.mmap_bytes),
                predicted=Prediction(
                    metric="workload",
                    ratio=max(0.0, 1.0 - facts.saved_ms / total) if total else 1.0,
                    gain=facts.saved_ms,
                    basis="the reads were run under these settings",
                ),
                risk=Risk.LOW,
                scope=Scope.COMPREHENSIVE,
            )


RULE = Remedy(
    id="page-cache",
    layer=Layer.DATABASE,
    answers=("small-page-cache",),
    scope=Scope.COMPREHENSIVE,
    propose=propose,
    why="Pages that stay in memory are not read and checked again.",
)
