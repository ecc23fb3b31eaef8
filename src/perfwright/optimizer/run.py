"""One run: look, propose, calibrate, try one change after the other, keep what is proven."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from perfwright._version import __version__
from perfwright.core import (
    Agent,
    BudgetExceededError,
    BudgetMeter,
    Clock,
    ExperimentRecord,
    Outcome,
    Proposal,
    Verdict,
    format_percent,
)
from perfwright.experiments.ledger import CalibrationRecord, Ledger, RunRecord, RunStatus
from perfwright.optimizer import steps
from perfwright.optimizer.books import Books
from perfwright.optimizer.crew import Crew, unmeasured
from perfwright.optimizer.events import Calibrated, Examined, Observer, StageBegan, Tried, Trying
from perfwright.optimizer.goals import goal_results
from perfwright.optimizer.machine import describe_machine
from perfwright.optimizer.options import RunOptions
from perfwright.optimizer.ranking import Experience, cost, expected_gain, experience, retries
from perfwright.orchestrator import Engine
from perfwright.stats import FalseKeepControl

_ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def new_run_id() -> str:
    """Six characters that are easy to type and unlikely to be taken."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(6))


@dataclass(slots=True, kw_only=True)
class Run:
    """A run in progress. The agents are bound to the target, the ledger is open."""

    command: str
    target: str
    agents: Sequence[Agent]
    ledger: Ledger
    engine: Engine
    clock: Clock
    options: RunOptions
    observe: Observer = lambda event: None
    id: str = field(default_factory=new_run_id)
    _books: Books = field(init=False)
    _crew: Crew = field(init=False)
    _learned: Mapping[str, Experience] = field(init=False)

    def __post_init__(self) -> None:
        """Open the books."""
        record = RunRecord(
            id=self.id,
            command=self.command,
            target=self.target,
            started=self.clock.today(),
            scope=self.options.scope,
            budget=str(self.options.budget),
            seed=self.options.seed,
            version=__version__,
            machine=describe_machine(),
        )
        self._books = Books(
            record=record,
            ledger=self.ledger,
            clock=self.clock,
            meter=BudgetMeter(self.options.budget),
            control=FalseKeepControl(rate=self.options.false_keep_rate),
        )
        self._learned = experience(self._books.earlier_runs())  # a damaged ledger shows here
        self._crew = Crew(
            agents={agent.layer: agent for agent in self.agents},
            books=self._books,
            engine=self.engine,
            observe=self.observe,
        )

    async def carry_out(
        self, *, given: Sequence[Proposal] | None = None, look_only: bool = False
    ) -> RunRecord:
        """Carry the run out to its end, or to a stop; the record is in the ledger either way.

        Args:
            given: The only proposals to try, from the user; else the agents make their own.
            look_only: Stop after the findings.
        """
        status = RunStatus.STOPPED
        try:
            await self._examine()
            if not look_only:
                await self._prove(given)
            status = (
                RunStatus.FINISHED if self._crew.agents or not self.agents else RunStatus.FAILED
            )
        finally:
            self._crew.close()
            record = self._books.finish(status)
        return record

    async def _examine(self) -> None:
        self.observe(StageBegan("Looking at the target"))
        for profile in await self._crew.examine():
            record = self._books.record
            self._books.update(
                findings=(*record.findings, *profile.findings),
                notes=(*record.notes, *profile.notes),
                summary={**record.summary, profile.layer: profile.summary},
            )
            self.observe(Examined(profile))

    async def _prove(self, given: Sequence[Proposal] | None) -> None:
        if given is None:
            self.observe(StageBegan("Working out changes"))
            proposals = await self._crew.propose(self.options.scope)
        else:
            proposals = list(given)
        if proposals and self._crew.agents:
            await self._calibrate()
            await self._try_all(self._measurable(proposals))
        await self._measure_before_and_after()

    def _measurable(self, proposals: Sequence[Proposal]) -> list[Proposal]:
        """Leave out what belongs to a layer whose bench could not be built or calibrated."""
        measurable = [each for each in proposals if each.layer in self._crew.calibrations]
        for proposal in proposals:
            if proposal not in measurable:
                self._books.note(
                    f"not tried, since nothing could be measured: {proposal.change.summary}"
                )
        return measurable

    async def _calibrate(self) -> None:
        self.observe(StageBegan("Measuring the noise: A against A"))
        found = await self._crew.calibrate(self.options.design, seed=self.options.seed)
        for layer, calibration in found.items():
            entry = CalibrationRecord(
                layer=layer,
                measured=calibration.measured,
                noise_floor=calibration.noise_floor,
                bias=calibration.bias,
                too_noisy=calibration.too_noisy,
            )
            self._books.update(calibrations=(*self._books.record.calibrations, entry))
            self.observe(Calibrated(layer, calibration))

    async def _try_all(self, proposals: Sequence[Proposal]) -> None:
        """Try proposals by expected gain per cost until the budget or the goals say stop.

        What a guardrail alone held back is tried once more when a later change made room for it:
        an index that the writes could not pay for before a useless one was dropped. So is what
        ran out of its share of the time, if some is left.
        """
        learned = self._learned
        waiting = sorted(
            proposals, key=lambda each: expected_gain(each, learned) / cost(each), reverse=True
        )
        self.observe(StageBegan("Proving changes", len(waiting)))
        if await self._try_in_order(waiting):
            held_back = retries(self._books.record.experiments)
            if held_back and not self._books.time_is_up:
                self.observe(StageBegan("Trying again what was held back", len(held_back)))
                await self._try_in_order(held_back)

    async def _try_in_order(self, proposals: Sequence[Proposal]) -> bool:
        """Try proposals one after the other; False when the goals are met."""
        for place, proposal in enumerate(proposals):
            try:
                self._books.reserve(proposal)
            except BudgetExceededError as error:
                self._books.note(f"not tried: {error}")
                continue
            self.observe(Trying(proposal))
            record = await self._try(proposal, waiting=len(proposals) - place)
            self._books.settle(record)
            self.observe(Tried(record))
            if record.verdict.outcome is Outcome.KEPT and await self._goals_met(proposal):
                self._books.note("every goal is met; what was left was not tried")
                return False
        return True

    async def _try(self, proposal: Proposal, *, waiting: int) -> ExperimentRecord:
        calibration = self._crew.calibrations.get(proposal.layer)
        number = len(self._books.record.experiments) + 1
        plan = steps.ExperimentPlan(
            id=f"{self.id}.{number}",
            design=self.options.design,
            confirm_alpha=self._books.control.next_level(),
            time_limit_s=self._books.step_limit_s(waiting=waiting),
            seed=self.options.seed * 1000 + number,
            noise_floor=calibration.noise_floor if calibration else None,
            bias=calibration.bias if calibration else 0.0,
        )
        if calibration is not None and calibration.too_noisy:
            reason = (
                "too noisy: equal arms may differ by "
                f"{format_percent(calibration.noise_floor, digits=0)} here, so "
                "nothing was measured; try again on a quieter machine"
            )
            verdict = Verdict(outcome=Outcome.INCONCLUSIVE, reason=reason, basis="noise")
            return unmeasured(proposal, plan=plan, verdict=verdict)
        record = await self._crew.experiment(proposal, plan)
        if record.verdict.outcome is Outcome.KEPT:
            excess = self._books.too_large(record)
            if excess is not None:
                reason = f"{record.verdict.reason}; but it {excess}"
                verdict = Verdict(outcome=Outcome.REJECTED, reason=reason, basis="budget")
                return replace(record, verdict=verdict)
            error = await self._crew.keep(record)
            if error is not None:
                verdict = Verdict(outcome=Outcome.FAILED, reason=error, basis="error")
                return replace(record, verdict=verdict)
        return record

    async def _goals_met(self, proposal: Proposal) -> bool:
        if not self.options.goals:
            return False
        levels = await self._crew.levels(proposal.layer)
        return all(goal.met for goal in goal_results(self.options.goals, levels))

    async def _measure_before_and_after(self) -> None:
        kept = {
            record.proposal.layer
            for record in self._books.record.experiments
            if record.verdict.outcome is Outcome.KEPT
        }
        if not kept and not self.options.goals:
            return
        self.observe(StageBegan("Measuring before against after"))
        levels: dict[str, tuple[float, float]] = {}
        for layer in self._crew.agents:
            if layer in kept:
                overall = await self._crew.overall(
                    layer, design=self.options.design, seed=self.options.seed
                )
                self._books.update(overall=overall)
            if self.options.goals:
                levels.update(await self._crew.levels(layer))
        self._books.update(goals=goal_results(self.options.goals, levels))
