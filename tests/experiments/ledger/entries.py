"""Records to write into a ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from perfwright.core import (
    ChangeSpec,
    ExperimentRecord,
    Finding,
    Guardrail,
    IdentifiedFinding,
    Layer,
    MachineState,
    Measurement,
    Outcome,
    Prediction,
    Proposal,
    Risk,
    Scope,
    Verdict,
)
from perfwright.experiments.ledger import (
    AgentFailure,
    CalibrationRecord,
    ChangeEntry,
    ChangeState,
    GoalResult,
    RunRecord,
)

START = datetime(2026, 1, 1, 12, tzinfo=UTC)

SPEC = ChangeSpec(
    kind="sqlite-ddl",
    subject="t_c",
    apply=("CREATE INDEX t_c ON t(c)",),
    revert=('DROP INDEX "t_c"',),
    summary="add t_c",
)
MEASURED = Measurement(
    metric="total", ratio=0.8, interval=(0.75, 0.85), confidence=0.98, pairs=20, baseline=0.1
)


@dataclass(frozen=True)
class Facts:
    """What a detector hands to its remedies."""

    table: str


def a_run(identifier: str = "r1", *, second: int = 0) -> RunRecord:
    finding = Finding(subject="a query", evidence="scans", cost=3.5, facts=Facts("t"))
    return RunRecord(
        id=identifier,
        command="optimize",
        target="sqlite:///shop.db",
        started=START.replace(second=second),
        machine={"load": 0.5, "system": "Linux"},
        summary={"database": {"tables": 3}},
        notes=("a note",),
        calibrations=(
            CalibrationRecord(
                layer="database", measured=MEASURED, noise_floor=0.02, bias=0.0, too_noisy=False
            ),
        ),
        findings=(
            IdentifiedFinding(id="f1", detector="scan", layer=Layer.DATABASE, finding=finding),
        ),
        failures=(AgentFailure(agent="x", step="examine", error="boom", traceback="..."),),
        goals=(GoalResult(goal="p95<1s", before=2.0, after=0.5, met=True),),
        spent={"time": 3.5},
        overall=MEASURED,
    )


def an_experiment(identifier: str = "r1.1") -> ExperimentRecord:
    return ExperimentRecord(
        id=identifier,
        proposal=Proposal(
            layer=Layer.DATABASE,
            remedy="covering-index",
            change=SPEC,
            predicted=Prediction(metric="total", ratio=0.7, gain=12.0),
            risk=Risk.LOW,
            scope=Scope.QUICK_WIN,
            because=("f1",),
        ),
        verdict=Verdict(outcome=Outcome.KEPT, reason="proven faster"),
        measured=MEASURED,
        guardrails=(Guardrail(name="answers", passed=True, detail="the same"),),
        witnesses={"steps": (100.0, 10.0)},
        samples=((0.1, 0.08), (0.11, 0.09)),
        machine=MachineState(load_1m=0.5, cpus=2, noise_floor=0.02),
    )


def an_entry(
    identifier: str = "r1.1/1", *, spec: ChangeSpec = SPEC, target: str = "sqlite:///shop.db"
) -> ChangeEntry:
    return ChangeEntry(
        id=identifier,
        run="r1",
        experiment=identifier.partition("/")[0],
        target=target,
        spec=spec,
        state=ChangeState.INTENDED,
    )
