"""Readies a record for being shown: without secrets, and without the data that it quotes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from perfwright.core import ExperimentRecord, Guardrail, IdentifiedFinding
from perfwright.experiments.ledger import RunRecord
from perfwright.report.masking import is_statement, mask_prose, mask_statement

_PASSWORD = re.compile(r"(://[^:/?#@\s]*):[^/?#\s]*@")
_SETTING = re.compile(
    r"(?i)\b(password|passwd|pwd|secret|token|api_?key)(\s*[=:]\s*)([^\s&;,'\"]+)"
)

Clean = Callable[[str], str]


def without_secrets(text: str) -> str:
    """Hide the password of an address and the values of settings that are named like one."""
    return _SETTING.sub(r"\1\2***", _PASSWORD.sub(r"\1:***@", text))


def prepared(run: RunRecord, *, mask_literals: bool = True) -> RunRecord:
    """Return `run` as it may be shown.

    Args:
        mask_literals: Also hide the values in what is quoted of the workload. Statements that are
            to be carried out stay as they are: the values in them are code.
    """
    clean = _masked_text if mask_literals else without_secrets
    return replace(
        run,
        target=without_secrets(run.target),
        notes=tuple(map(clean, run.notes)),
        findings=tuple(_finding(found, clean) for found in run.findings),
        experiments=tuple(_experiment(one, clean) for one in run.experiments),
        failures=tuple(
            replace(
                failure,
                error=clean(failure.error),
                traceback=clean(failure.traceback),
                remedy=without_secrets(failure.remedy),
            )
            for failure in run.failures
        ),
        goals=tuple(replace(goal, note=clean(goal.note)) for goal in run.goals),
    )


def _masked_text(text: str) -> str:
    masked = mask_statement(text) if is_statement(text) else mask_prose(text)
    return without_secrets(masked)


def _finding(found: IdentifiedFinding, clean: Clean) -> IdentifiedFinding:
    subject, evidence = clean(found.finding.subject), clean(found.finding.evidence)
    return replace(found, finding=replace(found.finding, subject=subject, evidence=evidence))


def _experiment(record: ExperimentRecord, clean: Clean) -> ExperimentRecord:
    predicted = record.proposal.predicted
    return replace(
        record,
        proposal=replace(
            record.proposal, predicted=replace(predicted, basis=clean(predicted.basis))
        ),
        verdict=replace(record.verdict, reason=clean(record.verdict.reason)),
        guardrails=tuple(_guardrail(guard, clean) for guard in record.guardrails),
    )


def _guardrail(guard: Guardrail, clean: Clean) -> Guardrail:
    return replace(guard, detail=clean(guard.detail))
