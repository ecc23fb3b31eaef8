"""Many tasks at once, through an engine that only waits to be told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from perfwright.orchestrator import EXCLUSIVE, Load, Orchestrator, Task, TaskResult
from perfwright.orchestrator.tasks import TaskProgress


@dataclass(slots=True)
class ScriptedEngine:
    """Runs nothing: gives others their turn a few times, and writes down who ran beside whom."""

    running: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    together: set[frozenset[str]] = field(default_factory=set)
    broken: frozenset[str] = frozenset()

    async def run(self, task: Task, *, progress: TaskProgress | None = None) -> TaskResult:
        self.running.append(task.name)
        self.order.append(task.name)
        self.together.add(frozenset(self.running))
        if progress is not None:
            progress("started")
        try:
            for _ in range(3):
                await asyncio.sleep(0)
            if task.name == "bug":
                raise RuntimeError("the engine itself is broken")
        finally:
            self.running.remove(task.name)
        if task.name in self.broken:
            return TaskResult(name=task.name, error="it crashed")
        return TaskResult(name=task.name, value=task.name)

    async def close(self) -> None:
        pass


def task(name: str, *, loads: frozenset[Load] = frozenset(), gain: float = 0.0) -> Task:
    return Task(name=name, function=print, loads=loads, gain=gain)


def run_all(engine: ScriptedEngine, *tasks: Task, capacity: int = 2) -> tuple[TaskResult, ...]:
    async def bounded() -> tuple[TaskResult, ...]:
        async with asyncio.timeout(10):
            return await Orchestrator(engine=engine, capacity=capacity).run_all(tasks)

    return asyncio.run(bounded())


def test_results_come_in_the_order_in_which_the_tasks_were_given() -> None:
    results = run_all(ScriptedEngine(), task("a"), task("b", gain=5.0), task("c", gain=9.0))
    assert [result.value for result in results] == ["a", "b", "c"]


def test_the_most_promising_task_is_run_first() -> None:
    engine = ScriptedEngine()
    run_all(engine, task("a"), task("b", gain=5.0), task("c", gain=9.0), capacity=1)
    assert engine.order == ["c", "b", "a"]


def test_probes_that_do_not_disturb_one_another_run_side_by_side() -> None:
    engine = ScriptedEngine()
    run_all(engine, task("a", loads=frozenset({Load.CPU})), task("b"))
    assert frozenset({"a", "b"}) in engine.together


def test_experiments_never_run_side_by_side() -> None:
    engine = ScriptedEngine()
    run_all(engine, task("a", loads=EXCLUSIVE), task("b", loads=EXCLUSIVE), capacity=5)
    assert engine.together == {frozenset({"a"}), frozenset({"b"})}


def test_a_failing_task_does_not_fail_the_others() -> None:
    results = run_all(ScriptedEngine(broken=frozenset({"a"})), task("a"), task("b"))
    assert [result.ok for result in results] == [False, True]


def test_the_same_task_may_be_given_under_one_name_twice() -> None:
    assert len(run_all(ScriptedEngine(), task("a"), task("a"))) == 2


def test_a_line_of_progress_arrives_with_its_task() -> None:
    said: list[tuple[str, str]] = []
    orchestrator = Orchestrator(engine=ScriptedEngine())
    asyncio.run(
        orchestrator.run_all([task("a")], said=lambda task, line: said.append((task.name, line)))
    )
    assert said == [("a", "started")]


def test_nothing_to_run_is_no_result() -> None:
    assert run_all(ScriptedEngine()) == ()


def test_a_bug_of_the_engine_ends_the_run_loudly() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        run_all(ScriptedEngine(), task("bug"), task("a"))
    assert caught.group_contains(RuntimeError, match="itself is broken")
