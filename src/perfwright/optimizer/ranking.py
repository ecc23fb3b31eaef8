"""Which proposal to try next: expected gain per cost, with what the ledger has learned. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from perfwright.core import ExperimentRecord, Outcome, Proposal
from perfwright.experiments.ledger import RunRecord

_BYTES_PER_MS = 2.0**20
"""Exchange rate: a mebibyte of index weighs as much as a millisecond of saving per replay."""


@dataclass(frozen=True, slots=True)
class Experience:
    """How often proposals of a remedy were kept, over all runs of a ledger."""

    kept: int = 0
    tried: int = 0

    @property
    def chance(self) -> float:
        """Mean of the Beta posterior after a prior of one success and one failure."""
        return (self.kept + 1) / (self.tried + 2)


def experience(runs: Iterable[RunRecord]) -> Mapping[str, Experience]:
    """Count kept and tried proposals by remedy; failures tell nothing and do not count."""
    counts: dict[str, Experience] = {}
    for run in runs:
        for record in run.experiments:
            if record.verdict.outcome is Outcome.FAILED:
                continue
            before = counts.get(record.proposal.remedy, Experience())
            won = record.verdict.outcome is Outcome.KEPT
            counts[record.proposal.remedy] = Experience(before.kept + won, before.tried + 1)
    return counts


def expected_gain(proposal: Proposal, learned: Mapping[str, Experience]) -> float:
    """Predicted gain times the chance that a proposal of this remedy is kept."""
    return proposal.predicted.gain * learned.get(proposal.remedy, Experience()).chance


def cost(proposal: Proposal) -> float:
    """What a proposal costs to hold: one for the trouble, plus its storage."""
    return 1.0 + max(proposal.size_bytes, 0) / _BYTES_PER_MS


def retries(experiments: Sequence[ExperimentRecord]) -> list[Proposal]:
    """Find proposals that deserve another try: what held them back may be over.

    That is a guardrail that a later kept change made room for, or their share of the time.

    Returns:
        In the order in which they were tried.
    """
    eased: set[str] = set()
    found: list[Proposal] = []
    for record in reversed(experiments):
        if record.verdict.outcome is Outcome.KEPT:
            eased |= {
                guard.name
                for guard in record.guardrails
                if guard.measured is not None and guard.measured.ratio < 1.0
            }
        elif record.verdict.basis in eased or _was_cut_short(record):
            found.append(record.proposal)
    return found[::-1]


def _was_cut_short(record: ExperimentRecord) -> bool:
    return record.verdict.outcome is Outcome.INCONCLUSIVE and record.verdict.basis == "budget"
