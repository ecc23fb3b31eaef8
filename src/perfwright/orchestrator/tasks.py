"""What the orchestrator runs: functions with a resource, a priority and a time-out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Load(StrEnum):
    """A resource that a task disturbs while it runs; two tasks never load the same one."""

    CPU = "cpu"
    DATABASE = "database"
    BROWSER = "browser"


EXCLUSIVE = frozenset(Load)
"""Everything: an experiment runs alone, or it measures its neighbours."""

TaskProgress = Callable[[str], None]
"""Takes one line about what a task is doing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A function to run in a process of its own.

    `function` and `arguments` must be picklable; the function is called with the arguments by
    name, and with `progress`, which takes lines.
    """

    name: str
    function: Callable[..., Any]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    loads: frozenset[Load] = frozenset()
    timeout_s: float = 600.0
    gain: float = 0.0
    """What is expected from it, in any one unit."""
    cost: float = 1.0
    """What it is expected to spend, in any one unit."""

    @property
    def priority(self) -> float:
        """Expected gain per cost; higher runs first."""
        return self.gain / max(self.cost, 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """How a task ended: with a value, or with an error that was recorded."""

    name: str
    value: Any = None
    error: str | None = None
    """The exception's type and message; None when the task succeeded."""
    traceback: str = ""
    expected: bool = False
    """Whether the error is one that perfwright raises on purpose."""
    remedy: str = ""
    """What to do about the error, where that is known."""
    elapsed_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the task returned."""
        return self.error is None


class Engine(Protocol):
    """Runs tasks somewhere; a task that crashes or hangs never takes the engine with it."""

    async def run(self, task: Task, *, progress: TaskProgress | None = None) -> TaskResult:
        """Run one task to its end, or end it at its time-out.

        On cancellation the task's process is ended before this returns.
        """

    async def close(self) -> None:
        """End every process; idempotent."""
