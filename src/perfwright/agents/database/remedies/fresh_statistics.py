"""ANALYZE, where the planner knows nothing or the wrong thing."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.design import analysis
from perfwright.agents.database.facts import StatisticsFacts
from perfwright.core import Finding, Layer, Prediction, Proposal, Remedy, Risk, Scope


def propose(artifacts: DatabaseArtifacts, findings: tuple[Finding, ...]) -> Iterator[Proposal]:
    """Propose to gather the statistics of the tables that the planner is wrong about."""
    for finding in findings:
        if isinstance(finding.facts, StatisticsFacts) and not artifacts.catalog.is_replica:
            yield Proposal(
                layer=Layer.DATABASE,
                remedy="fresh-statistics",
                change=analysis(finding.facts.tables, artifacts.catalog),
                predicted=Prediction(
                    metric="workload", ratio=1.0, gain=0.0, basis="unknown before a trial"
                ),
                risk=Risk.MEDIUM,
                scope=Scope.QUICK_WIN,
            )


RULE = Remedy(
    id="fresh-statistics",
    layer=Layer.DATABASE,
    answers=("stale-statistics",),
    scope=Scope.QUICK_WIN,
    propose=propose,
    why="The planner then compares indexes by what they really leave.",
)
