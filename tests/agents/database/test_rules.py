"""What holds for every detector and every remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.registry import all_detectors, all_remedies, answer, judge
from perfwright.core import Detector, Remedy, Scope

DETECTORS = all_detectors()
REMEDIES = all_remedies()
HERE = Path(__file__).parent
ADVICE = {
    "connection-saturation",
    "dead-rows",
    "forced-checkpoints",
    "idle-transaction",
    "index-bloat",
    "lock-chain",
    "long-transaction",
    "repeated-lookup",
    "replication-slot",
    "sequence-exhaustion",
    "table-bloat",
    "temp-spill",
    "transaction-wraparound",
    "type-mismatch",
    "unsearchable-condition",
}
"""What only people can mend: the program, the operation of the server."""

each_detector = pytest.mark.parametrize("rule", DETECTORS, ids=[rule.id for rule in DETECTORS])
each_remedy = pytest.mark.parametrize("rule", REMEDIES, ids=[rule.id for rule in REMEDIES])


def can_run(rule: Detector[DatabaseArtifacts], artifacts: DatabaseArtifacts) -> bool:
    return all(getattr(artifacts, need) is not None for need in rule.needs)


@each_detector
def test_a_detector_fires_on_its_example(rule: Detector[DatabaseArtifacts]) -> None:
    assert can_run(rule, rule.fires_on)
    assert list(rule.find(rule.fires_on))


@each_detector
def test_a_detector_is_silent_on_its_counterexample(rule: Detector[DatabaseArtifacts]) -> None:
    assert can_run(rule, rule.silent_on)
    assert list(rule.find(rule.silent_on)) == []


@each_detector
def test_a_detector_is_silent_on_nothing(rule: Detector[DatabaseArtifacts]) -> None:
    assert list(rule.find(DatabaseArtifacts())) == []


@each_detector
def test_a_detector_answers_the_same_twice(rule: Detector[DatabaseArtifacts]) -> None:
    assert list(rule.find(rule.fires_on)) == list(rule.find(rule.fires_on))


@each_detector
def test_a_detector_survives_the_examples_of_all_others(rule: Detector[DatabaseArtifacts]) -> None:
    for other in DETECTORS:
        for artifacts in (other.fires_on, other.silent_on):
            findings = list(rule.find(artifacts)) if can_run(rule, artifacts) else []
            assert all(finding.evidence and finding.cost >= 0 for finding in findings)


@each_detector
def test_a_detector_has_a_test_file(rule: Detector[DatabaseArtifacts]) -> None:
    assert (HERE / "detectors" / f"test_{rule.id.replace('-', '_')}.py").exists()


@each_detector
def test_a_detector_is_named_after_its_file(rule: Detector[DatabaseArtifacts]) -> None:
    assert rule.find.__module__.rpartition(".")[2] == rule.id.replace("-", "_")


@each_detector
def test_every_detector_has_a_remedy_or_is_advice(rule: Detector[DatabaseArtifacts]) -> None:
    assert any(rule.id in remedy.answers for remedy in REMEDIES) or rule.id in ADVICE


@each_remedy
def test_a_remedy_answers_known_detectors(rule: Remedy[DatabaseArtifacts]) -> None:
    assert set(rule.answers) <= {detector.id for detector in DETECTORS}


@each_remedy
def test_a_remedy_without_findings_proposes_nothing(rule: Remedy[DatabaseArtifacts]) -> None:
    assert list(rule.propose(DatabaseArtifacts(), ())) == []


@each_detector
def test_every_proposal_for_an_example_can_be_taken_back(
    rule: Detector[DatabaseArtifacts],
) -> None:
    findings = judge(rule.fires_on)
    proposals = answer(rule.fires_on, findings, scope=Scope.COMPREHENSIVE)
    assert all(p.change.apply and p.change.revert and p.because for p in proposals)


def test_findings_are_ordered_by_cost() -> None:
    costs = [f.finding.cost for rule in DETECTORS for f in judge(rule.fires_on)[:1]]
    assert all(
        [f.finding.cost for f in judge(rule.fires_on)]
        == sorted((f.finding.cost for f in judge(rule.fires_on)), reverse=True)
        for rule in DETECTORS
    )
    assert costs
