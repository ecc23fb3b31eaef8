"""Which tasks may start now: best gain per cost first, no two on one resource. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from perfwright.orchestrator.tasks import Load, Task


@dataclass(slots=True)
class TaskQueue:
    """Holds waiting tasks and knows what the running ones load."""

    capacity: int = 2
    """Tasks that may run at once."""
    _waiting: list[Task] = field(default_factory=list)
    _running: list[Task] = field(default_factory=list)

    def add(self, tasks: Iterable[Task]) -> None:
        """Let tasks wait; equal priorities keep their order."""
        self._waiting = sorted(
            (*self._waiting, *tasks), key=lambda task: task.priority, reverse=True
        )

    def start_next(self) -> Task | None:
        """Take the best task whose resources are free; None if there is none now.

        A task that waits for a resource is not overtaken by a worse one that loads the same
        resource, so nothing starves.
        """
        if len(self._running) >= self.capacity:
            return None
        taken: set[Load] = set().union(*(task.loads for task in self._running))
        for task in self._waiting:
            if taken.isdisjoint(task.loads):
                self._waiting.remove(task)
                self._running.append(task)
                return task
            taken |= task.loads
        return None

    def finish(self, task: Task) -> None:
        """Free what a running task loaded."""
        self._running.remove(task)

    @property
    def done(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._waiting and not self._running
