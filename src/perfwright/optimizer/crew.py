"""The agents of a run, each call in a worker process; what fails is recorded and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from perfwright.core import (
    Agent,
    AgentProfile,
    ExperimentRecord,
    Layer,
    Measurement,
    Outcome,
    Proposal,
    Scope,
    Verdict,
)
from perfwright.experiments import Calibration, Design, machine_state
from perfwright.optimizer import steps
from perfwright.optimizer.books import Books
from perfwright.optimizer.events import Failed, Observer, StepSaid
from perfwright.orchestrator import EXCLUSIVE, Engine, Load, Orchestrator, Task, TaskResult

_GRACE_S = 60.0
"""Beyond the time limit of an experiment before its process is ended: building, comparing."""

_STEP_S = 1800.0


@dataclass(slots=True, kw_only=True)
class Crew:
    """Runs the steps of the agents.

    A step may change an agent; the changed agent comes back from the worker and takes the
    place of the old one.
    """

    agents: dict[Layer, Agent]
    books: Books
    engine: Engine
    observe: Observer
    calibrations: dict[Layer, Calibration] = field(default_factory=dict)

    async def examine(self) -> tuple[AgentProfile, ...]:
        """Let all agents look at the target, side by side; a failing one leaves the run."""
        results = await self._each(steps.examine, loads=frozenset({Load.CPU}))
        for layer in list(self.agents):
            if layer in results:
                self.agents[layer] = results[layer][0]
            else:
                self.agents.pop(layer).close()
        return tuple(profile for _, profile in results.values())

    async def propose(self, scope: Scope) -> list[Proposal]:
        """Collect the proposals of all agents."""
        results = await self._each(steps.propose, scope=scope)
        proposals: list[Proposal] = []
        for layer, (agent, found) in results.items():
            self.agents[layer] = agent
            proposals.extend(found)
        return proposals

    async def calibrate(self, design: Design, *, seed: int) -> Mapping[Layer, Calibration]:
        """Measure the noise of each agent's target, one after the other."""
        self.calibrations = await self._each(steps.run_calibration, design=design, seed=seed)
        return self.calibrations

    async def experiment(self, proposal: Proposal, plan: steps.ExperimentPlan) -> ExperimentRecord:
        """Try one proposal; a crash or time-out is the verdict failed."""
        agent = self.agents[proposal.layer]
        task = Task(
            name=f"try {proposal.change.subject}",
            function=steps.run_experiment,
            arguments={"agent": agent, "proposal": proposal, "plan": plan},
            loads=EXCLUSIVE,
            timeout_s=plan.time_limit_s + _GRACE_S,
        )
        result = await self._run(agent, task)
        if not result.ok:
            verdict = Verdict(outcome=Outcome.FAILED, reason=result.error or "", basis="error")
            return unmeasured(proposal, plan=plan, verdict=verdict)
        record: ExperimentRecord = result.value
        return record

    async def keep(self, record: ExperimentRecord) -> str | None:
        """Make a proven change part of the baseline; returns the error if that failed."""
        layer = record.proposal.layer
        agent = self.agents[layer]
        result = await self._run(agent, self._task(agent, steps.keep, record=record))
        if result.ok:
            self.agents[layer] = result.value
        return result.error

    async def levels(self, layer: Layer) -> Mapping[str, tuple[float, float]]:
        """Measure the goal metrics of one layer; empty when that failed."""
        agent = self.agents[layer]
        result = await self._run(agent, self._task(agent, steps.levels))
        return result.value if result.ok else {}

    async def overall(self, layer: Layer, *, design: Design, seed: int) -> Measurement | None:
        """Measure everything that was kept in a layer against its start."""
        agent = self.agents[layer]
        limit_s = self.books.last_limit_s()
        task = self._task(agent, steps.measure_overall, design=design, seed=seed, limit_s=limit_s)
        result = await self._run(agent, task)
        return result.value if result.ok else None

    def close(self) -> None:
        """Let every agent remove its copies."""
        for agent in self.agents.values():
            agent.close()

    async def _each(
        self,
        function: Callable[..., Any],
        *,
        loads: frozenset[Load] = EXCLUSIVE,
        **arguments: Any,
    ) -> dict[Layer, Any]:
        """Run one step of every agent; agents whose step failed are not in the answer."""
        agents = list(self.agents.items())
        results = await self._run_all(
            self._task(agent, function, loads=loads, **arguments) for _, agent in agents
        )
        values = {}
        for (layer, agent), result in zip(agents, results, strict=True):
            if result.ok:
                values[layer] = result.value
            else:
                self._fail(agent, result)
        return values

    def _task(
        self,
        agent: Agent,
        function: Callable[..., Any],
        *,
        loads: frozenset[Load] = EXCLUSIVE,
        **arguments: Any,
    ) -> Task:
        return Task(
            name=f"{agent.name}: {function.__name__.replace('_', ' ')}",
            function=function,
            arguments={"agent": agent, **arguments},
            loads=loads,
            timeout_s=min(_STEP_S, max(self.books.time_left_s(), 0.0) + _GRACE_S),
        )

    async def _run(self, agent: Agent, task: Task) -> TaskResult:
        (result,) = await self._run_all([task])
        if not result.ok:
            self._fail(agent, result)
        return result

    async def _run_all(self, tasks: Iterable[Task]) -> tuple[TaskResult, ...]:
        orchestrator = Orchestrator(engine=self.engine)
        return await orchestrator.run_all(
            tasks, said=lambda task, line: self.observe(StepSaid(task.name, line))
        )

    def _fail(self, agent: Agent, result: TaskResult) -> None:
        self.books.fail(agent.name, step=result.name, result=result)
        self.observe(Failed(result.name, result.error or ""))


def unmeasured(
    proposal: Proposal, *, plan: steps.ExperimentPlan, verdict: Verdict
) -> ExperimentRecord:
    """Record an experiment that ended before anything was measured."""
    return ExperimentRecord(
        id=plan.id,
        proposal=proposal,
        verdict=verdict,
        machine=machine_state(plan.noise_floor),
        alpha=plan.confirm_alpha,
        min_effect=plan.design.min_effect,
        max_pairs=plan.design.max_pairs,
    )
