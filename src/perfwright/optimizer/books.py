"""The books of one run: its record, its budget, its error level; always saved in the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from perfwright.core import (
    BudgetExceededError,
    BudgetMeter,
    Clock,
    ExperimentRecord,
    Outcome,
    Proposal,
    Resource,
    format_amount,
)
from perfwright.experiments.ledger import AgentFailure, Ledger, RunRecord, RunStatus
from perfwright.optimizer.options import STEP_LIMIT_S
from perfwright.orchestrator import TaskResult
from perfwright.stats import FalseKeepControl

_SHORTEST_S = 1.0
"""With less time than this left no experiment is begun."""

_SHARES = 3.0
"""Of the time that is left for each of those waiting, one may take this many."""

LAST_STEP_LIMIT_S = 60.0
"""The longest that measuring before against after may take."""

_LAST_SHARE = 0.15
"""Share of the time budget that is kept for it."""


@dataclass(slots=True, kw_only=True)
class Books:
    """What a run has seen, tried and spent. Every change is saved before the next step."""

    record: RunRecord
    ledger: Ledger
    clock: Clock
    meter: BudgetMeter
    control: FalseKeepControl
    _started_s: float = field(init=False)

    def __post_init__(self) -> None:
        """Write the run down and start its clock."""
        self._started_s = self.clock.now()
        self.ledger.begin_run(self.record)

    def update(self, **values: Any) -> None:
        """Replace fields of the record."""
        self.record = replace(self.record, **values)

    def note(self, text: str) -> None:
        """Add a remark that the report shows."""
        self.update(notes=(*self.record.notes, text))

    def fail(self, agent: str, *, step: str, result: TaskResult) -> None:
        """Write down that a step failed; the run goes on without it."""
        failure = AgentFailure(
            agent=agent,
            step=step,
            error=result.error or "",
            traceback=result.traceback,
            remedy=result.remedy,
        )
        self.update(failures=(*self.record.failures, failure))

    def time_left_s(self) -> float:
        """Seconds until the budget's time is up; infinite without a cap."""
        self.meter.spent[Resource.TIME] = self.clock.now() - self._started_s
        return self.meter.left(Resource.TIME)

    def step_limit_s(self, *, waiting: int = 1) -> float:
        """The longest that the next experiment may take; some time stays for the last step.

        Args:
            waiting: Experiments that share what is left. Each may take a few times its part: most
                are decided soon, and one that never will be must not use up the others' time.
        """
        left_s = self.time_left_s() - self._reserve_s()
        share_s = max(_SHORTEST_S, _SHARES * left_s / waiting)
        return min(STEP_LIMIT_S, left_s, share_s)

    @property
    def time_is_up(self) -> bool:
        """Whether too little is left for another experiment."""
        return self.step_limit_s() < _SHORTEST_S

    def last_limit_s(self) -> float:
        """The longest that measuring before against after may take: what was kept for it."""
        return max(_SHORTEST_S, min(LAST_STEP_LIMIT_S, self.time_left_s()))

    def _reserve_s(self) -> float:
        cap_s = self.meter.budget.caps.get(Resource.TIME)
        return 0.0 if cap_s is None else min(LAST_STEP_LIMIT_S, cap_s * _LAST_SHARE)

    def reserve(self, proposal: Proposal) -> None:
        """Set aside what trying a proposal may spend.

        Raises:
            BudgetExceededError: If the budget does not allow it; nothing is set aside then.
        """
        name = f"trying {proposal.change.subject!r}"
        if self.time_is_up:
            needed_s = self._reserve_s() + _SHORTEST_S
            self.meter.reserve(name, resource=Resource.TIME, amount=needed_s)
        self.meter.reserve(name, resource=Resource.EXPERIMENTS, amount=1)
        try:
            self.meter.reserve(name, resource=Resource.STORAGE, amount=_storage(proposal))
        except BudgetExceededError:
            self.meter.settle(resource=Resource.EXPERIMENTS, reserved=1, spent=0)
            raise

    def too_large(self, record: ExperimentRecord) -> str | None:
        """Say why the budget does not allow what a change was measured to take; None: it does."""
        left = self.meter.left(Resource.STORAGE) + _storage(record.proposal)  # set aside for it
        if _storage(record) <= left:
            return None
        taken, rest = (format_amount(Resource.STORAGE, each) for each in (_storage(record), left))
        return f"takes {taken} of storage and {rest} is left; raise --budget"

    def settle(self, record: ExperimentRecord) -> None:
        """Book a finished experiment: spending, error level, ledger."""
        won = record.verdict.outcome is Outcome.KEPT
        reserved, taken = _storage(record.proposal), _storage(record)
        self.meter.settle(resource=Resource.EXPERIMENTS, reserved=1, spent=1)
        self.meter.settle(resource=Resource.STORAGE, reserved=reserved, spent=taken if won else 0)
        self.control.record(won=won)
        self.ledger.add_experiment(self.record.id, record)
        self.update(experiments=(*self.record.experiments, record))
        self.ledger.save_run(self.record)

    def finish(self, status: RunStatus) -> RunRecord:
        """Close the books."""
        self.time_left_s()
        self.update(
            status=status,
            finished=self.clock.today(),
            spent={str(resource): amount for resource, amount in self.meter.spent.items()},
        )
        self.ledger.save_run(self.record)
        return self.record

    def earlier_runs(self) -> Iterable[RunRecord]:
        """Finished runs of this ledger with their experiments: what may be learned from."""
        for run in self.ledger.runs():
            if run.id != self.record.id and run.status is RunStatus.FINISHED:
                yield self.ledger.run(run.id)


def _storage(taker: Proposal | ExperimentRecord) -> int:
    """Bytes that a change takes; freeing some does not give budget back."""
    return max(taker.size_bytes, 0)
