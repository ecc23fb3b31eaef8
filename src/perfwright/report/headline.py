"""The first sentence of a report: what the run achieved, and nothing that it did not measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from perfwright.core import ExperimentRecord, IdentifiedFinding, Outcome
from perfwright.experiments import Winner
from perfwright.experiments.ledger import RunRecord, RunStatus
from perfwright.report import wording
from perfwright.report.document import ComparedCommands

Tone = Literal["good", "bad", "neutral"]


@dataclass(frozen=True, slots=True)
class Headline:
    """A claim, and the sentence that it rests on."""

    claim: str
    detail: str
    tone: Tone = "neutral"


_UNFINISHED = {
    RunStatus.RUNNING: "The run has not ended yet. ",
    RunStatus.STOPPED: "The run was stopped early. ",
    RunStatus.CRASHED: "The run did not end by itself. ",
}


def headline(run: RunRecord) -> Headline:
    """Say in two sentences how a run ended."""
    found = _overall(run) or _unmeasured(run)
    return Headline(found.claim, _UNFINISHED.get(run.status, "") + found.detail, found.tone)


def _overall(run: RunRecord) -> Headline | None:
    measured = run.overall
    if measured is None:
        return None
    low, high = measured.interval
    unit = wording.unit_of(measured)
    medians = (
        f"{wording.amount(measured.baseline, unit)} before, "
        f"{wording.amount(measured.treatment, unit)} after "
        f"({wording.effect_range(measured)}; {wording.pairs(measured)}), with "
        f"{tally(run.experiments)}. One replay of the whole workload, from samples of it."
    )
    if high < 1.0:
        return Headline(_capital(wording.effect(measured)), medians, "good")
    if low > 1.0:
        return Headline(_capital(wording.effect(measured)), medians, "bad")
    detail = (
        f"All kept changes together: {wording.change(measured.ratio)} "
        f"({wording.interval(measured)}; {wording.pairs(measured)}), which includes no change."
    )
    return Headline("No overall difference proven", detail)


def _unmeasured(run: RunRecord) -> Headline:
    if not run.experiments:
        if run.failures and not run.summary:
            return Headline("The target could not be examined", "The reason stands below.")
        if not run.findings:
            return Headline("Nothing found", "No bottleneck was found in what could be seen.")
        detail = f"No experiment was run. {_costliest(run.findings)}"
        return Headline(wording.counted(len(run.findings), "bottleneck") + " found", detail)
    kept = sum(one.verdict.outcome is Outcome.KEPT for one in run.experiments)
    if kept:
        detail = f"What they bring together was not measured. {_capital(tally(run.experiments))}."
        return Headline(wording.counted(kept, "change") + " proven", detail, "good")
    return Headline("No change was kept", f"{_capital(tally(run.experiments))}.")


def _costliest(findings: Sequence[IdentifiedFinding]) -> str:
    worst = ranked(findings)[0].finding
    return f"The costliest takes {wording.amount(worst.cost, worst.unit)} per replay."


def ranked(findings: Sequence[IdentifiedFinding]) -> list[IdentifiedFinding]:
    """Findings by cost, costliest first, within each unit; times come before the rest."""
    scale = {"s": 1e3, "ms": 1.0, "us": 1e-3}
    return sorted(
        findings,
        key=lambda found: (
            found.finding.unit not in scale,
            "" if found.finding.unit in scale else found.finding.unit,
            -found.finding.cost * scale.get(found.finding.unit, 1.0),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bottleneck:
    """Findings about the same subject: one thing that is slow, seen from several sides."""

    subject: str
    findings: tuple[IdentifiedFinding, ...]
    """Costliest first."""

    @property
    def cost(self) -> float:
        """Of the costliest finding: the same time is not counted twice."""
        return self.findings[0].finding.cost

    @property
    def unit(self) -> str:
        """Of the cost."""
        return self.findings[0].finding.unit


def bottlenecks(findings: Sequence[IdentifiedFinding]) -> list[Bottleneck]:
    """Gather findings by subject, costliest first."""
    by_subject: dict[str, list[IdentifiedFinding]] = {}
    for found in ranked(findings):
        by_subject.setdefault(found.finding.subject, []).append(found)
    return [
        Bottleneck(subject=subject, findings=tuple(group)) for subject, group in by_subject.items()
    ]


def tally(experiments: Sequence[ExperimentRecord]) -> str:
    """Count verdicts: `4 experiments: 1 kept, 2 rejected, 1 failed`."""
    counts = Counter(one.verdict.outcome for one in experiments)
    parts = [f"{counts[outcome]} {outcome.value}" for outcome in Outcome if counts[outcome]]
    total = wording.counted(len(experiments), "experiment")
    return f"{total}: {', '.join(parts)}" if parts else total


def comparison_sentence(compared: ComparedCommands) -> str:
    """The verdict of a comparison: `B is 12.3 % faster (9.8 % to 14.9 %, ...)`."""
    measured = compared.deciding()
    basis = "" if measured is None or measured.metric == "wall" else f" by {measured.metric} time"
    match compared.comparison.winner:
        case Winner.B if measured is not None:
            return (
                f"B is {wording.effect(measured)}{basis} "
                f"({wording.effect_range(measured)}, {wording.pairs(measured)})"
            )
        case Winner.A if measured is not None:
            mirrored = wording.mirrored(measured)
            return (
                f"A is {wording.effect(mirrored)}{basis} "
                f"({wording.effect_range(mirrored)}, {wording.pairs(mirrored)})"
            )
        case Winner.INCONCLUSIVE if measured is not None:
            return (
                f"Inconclusive: B against A {wording.change(measured.ratio)} "
                f"({wording.interval(measured)}, {wording.pairs(measured)})"
            )
        case _ if compared.comparison.basis == "output":
            return "Not compared: A and B print different output"
        case _:
            return "Inconclusive: too few runs for any interval"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
