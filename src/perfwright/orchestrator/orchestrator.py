"""Runs many tasks at once, where they do not disturb one another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from perfwright.orchestrator.queue import TaskQueue
from perfwright.orchestrator.tasks import Engine, Task, TaskResult

Said = Callable[[Task, str], None]
"""Takes a task and a line about what it is doing."""


@dataclass(slots=True, kw_only=True)
class Orchestrator:
    """A queue in front of an engine."""

    engine: Engine
    capacity: int = 2

    async def run_all(
        self, tasks: Iterable[Task], *, said: Said = lambda task, line: None
    ) -> tuple[TaskResult, ...]:
        """Run all tasks, best gain per cost first; none fails the others.

        Returns:
            The results in the order in which the tasks were given.
        """
        ordered = tuple(tasks)
        queue = TaskQueue(capacity=self.capacity)
        queue.add(ordered)
        results: dict[int, TaskResult] = {}
        freed = asyncio.Event()

        async def run(task: Task) -> None:
            try:
                results[id(task)] = await self.engine.run(
                    task, progress=lambda line: said(task, line)
                )
            finally:
                queue.finish(task)
                freed.set()

        async with asyncio.TaskGroup() as group:
            while not queue.done:
                task = queue.start_next()
                if task is None:
                    freed.clear()
                    await freed.wait()
                else:
                    group.create_task(run(task))
        return tuple(results[id(task)] for task in ordered)
