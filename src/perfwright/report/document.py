"""The published JSON of a run and of a comparison; the schemas beside it describe every field."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import resources
from typing import Any, Literal

from perfwright.core import (
    Arm,
    ChangeSpec,
    ExperimentRecord,
    Guardrail,
    IdentifiedFinding,
    Measurement,
    Prediction,
)
from perfwright.experiments import Comparison
from perfwright.experiments.ledger import CalibrationRecord, GoalResult, RunRecord
from perfwright.report.prepare import prepared, without_secrets
from perfwright.report.wording import unit_of

RUN_SCHEMA = "perfwright/run/1"
COMPARE_SCHEMA = "perfwright/compare/1"

Document = dict[str, Any]
"""Strict JSON: `json.dumps(document, allow_nan=False)` takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedCommands:
    """A comparison with what was compared: all that the outputs of `compare` show."""

    a: str
    b: str
    comparison: Comparison
    exit_codes: Mapping[Arm, int] = field(default_factory=dict)
    """Of the last run of each command."""
    seed: int = 0
    machine: Mapping[str, float | str] = field(default_factory=dict)
    """System, processors, versions."""

    def deciding(self) -> Measurement | None:
        """The metric that gave the verdict; None when too little was sampled for any."""
        measured = self.comparison.measured
        return measured.get(self.comparison.basis) or next(iter(measured.values()), None)


def load_schema(name: Literal["run", "compare"]) -> Document:
    """Read the JSON Schema (draft 2020-12) of a document."""
    text = resources.files("perfwright.report").joinpath("schemas", f"{name}-1.json").read_text()
    schema: Document = json.loads(text)
    return schema


def run_document(run: RunRecord, *, mask_literals: bool = True) -> Document:
    """Lay a run out as its published JSON.

    Args:
        mask_literals: Hide the values in quoted statements of the workload.
    """
    run = prepared(run, mask_literals=mask_literals)
    return _document(
        {
            "schema": RUN_SCHEMA,
            "run": run.id,
            "command": run.command,
            "target": run.target,
            "status": run.status.value,
            "started": _moment(run.started),
            "finished": _moment(run.finished),
            "version": run.version,
            "scope": run.scope,
            "budget": run.budget,
            "seed": run.seed,
            "machine": dict(run.machine),
            "summary": {layer: dict(seen) for layer, seen in run.summary.items()},
            "calibration": [_calibration(one) for one in run.calibrations],
            "findings": [_finding(found) for found in run.findings],
            "experiments": [_experiment(record) for record in run.experiments],
            "overall": _measured(run.overall),
            "goals": [_goal(goal) for goal in run.goals],
            "spent": dict(run.spent),
            "notes": list(run.notes),
            "failures": [
                {
                    "agent": failure.agent,
                    "step": failure.step,
                    "error": failure.error,
                    "remedy": failure.remedy or "see: perfwright report RUN --html FILE",
                }
                for failure in run.failures
            ],
        }
    )


def comparison_document(compared: ComparedCommands) -> Document:
    """Lay a comparison out as its published JSON; `ratio` is that of the deciding metric."""
    comparison = compared.comparison
    deciding = compared.deciding()
    return _document(
        {
            "schema": COMPARE_SCHEMA,
            "verdict": comparison.winner.value,
            "ratio": deciding.ratio if deciding else None,
            "interval": list(deciding.interval) if deciding else None,
            "confidence": deciding.confidence if deciding else None,
            "pairs": len(comparison.samples),
            "noise_floor": comparison.noise_floor,
            "basis": comparison.basis,
            "reason": comparison.reason,
            "a": _side(compared, Arm.A),
            "b": _side(compared, Arm.B),
            "metrics": {name: _measured(one) for name, one in comparison.measured.items()},
            "guardrails": [_guardrail(guard) for guard in comparison.guardrails],
            "samples": [list(pair) for pair in comparison.samples],
            "machine": {
                **compared.machine,
                "load_1m": comparison.machine.load_1m,
                "cpus": comparison.machine.cpus,
            },
            "seed": compared.seed,
            "elapsed_s": comparison.elapsed_s,
        }
    )


def _side(compared: ComparedCommands, arm: Arm) -> Document:
    def median(metric: str) -> float | None:
        measured = compared.comparison.measured.get(metric)
        if measured is None:
            return None
        return measured.baseline if arm is Arm.A else measured.treatment

    memory = median("memory")
    return {
        "command": without_secrets(compared.a if arm is Arm.A else compared.b),
        "wall_s": median("wall"),
        "cpu_s": median("cpu"),
        "peak_bytes": None if memory is None else round(memory),
        "exit_code": compared.exit_codes.get(arm),
    }


def _finding(found: IdentifiedFinding) -> Document:
    return {
        "id": found.id,
        "detector": found.detector,
        "layer": found.layer.value,
        "subject": found.finding.subject,
        "evidence": found.finding.evidence,
        "cost": found.finding.cost,
        "unit": found.finding.unit,
        "confidence": found.finding.confidence,
    }


def _experiment(record: ExperimentRecord) -> Document:
    proposal, machine = record.proposal, record.machine
    return {
        "id": record.id,
        "layer": proposal.layer.value,
        "remedy": proposal.remedy,
        "because": list(proposal.because),
        "risk": proposal.risk.value,
        "scope": proposal.scope.value,
        "size_bytes": record.size_bytes,
        "change": _change(proposal.change),
        "predicted": _predicted(proposal.predicted),
        "measured": _measured(record.measured),
        "guardrails": [_guardrail(guard) for guard in record.guardrails],
        "verdict": record.verdict.outcome.value,
        "reason": record.verdict.reason,
        "basis": record.verdict.basis,
        "witnesses": {
            name: {"before": before, "after": after}
            for name, (before, after) in record.witnesses.items()
        },
        "samples": [list(pair) for pair in record.samples],
        "alpha": record.alpha,
        "noise_floor": machine.noise_floor if machine else None,
        "load": machine.load_1m if machine else None,
        "elapsed_s": record.elapsed_s,
    }


def _change(spec: ChangeSpec) -> Document:
    return {
        "kind": spec.kind,
        "subject": spec.subject,
        "summary": spec.summary,
        "apply": list(spec.apply),
        "revert": list(spec.revert),
    }


def _predicted(predicted: Prediction) -> Document:
    return {
        "metric": predicted.metric,
        "ratio": predicted.ratio,
        "gain": predicted.gain,
        "unit": predicted.unit,
        "basis": predicted.basis,
    }


def _measured(measured: Measurement | None) -> Document | None:
    if measured is None:
        return None
    return {
        "metric": measured.metric,
        "ratio": measured.ratio,
        "interval": list(measured.interval),
        "confidence": measured.confidence,
        "pairs": measured.pairs,
        "baseline": measured.baseline,
        "treatment": measured.treatment,
        "unit": unit_of(measured),
    }


def _guardrail(guard: Guardrail) -> Document:
    return {
        "name": guard.name,
        "passed": guard.passed,
        "detail": guard.detail,
        "measured": _measured(guard.measured),
    }


def _calibration(one: CalibrationRecord) -> Document:
    return {
        "layer": one.layer,
        "measured": _measured(one.measured),
        "noise_floor": one.noise_floor,
        "bias": one.bias,
        "too_noisy": one.too_noisy,
    }


def _goal(goal: GoalResult) -> Document:
    return {
        "goal": goal.goal,
        "before": goal.before,
        "after": goal.after,
        "met": goal.met,
        "unit": goal.unit,
        "note": goal.note,
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _document(fields: Document) -> Document:
    return {name: _strict(value) for name, value in fields.items()}


def _strict(value: Any) -> Any:
    """Replace numbers that JSON does not have, and halves of characters that UTF-8 does not."""
    match value:
        case dict():
            return {_strict(key): _strict(item) for key, item in value.items()}
        case list():
            return [_strict(item) for item in value]
        case float() if not math.isfinite(value):
            return None
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case _:
            return value
