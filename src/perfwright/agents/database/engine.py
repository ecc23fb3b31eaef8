"""What one kind of database offers to the agent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.schedule import Item
from perfwright.core import Arm, Bench, Change, ChangeSpec, Progress, Proposal


class DatabaseBench(Bench, Protocol):
    """A bench that also tells the time of each statement."""

    def executions(self, arm: Arm) -> Iterator[tuple[Item, float]]:
        """Run every statement of the schedule once; yield it with its seconds."""


class Engine(Protocol):
    """Looks at one database and keeps copies of it.

    It can be pickled at any time: everything between two calls is in the copies or plain data.
    """

    def examine(self, *, progress: Progress) -> DatabaseArtifacts:
        """Look at the target, read-only, and make the copy that all later steps work on.

        Raises:
            TargetError: If the database cannot be read or copied.
            ConfigError: If the workload cannot be used.
        """

    def summary(self, artifacts: DatabaseArtifacts) -> dict[str, float | str]:
        """What was looked at, for the report."""

    def try_all(
        self,
        artifacts: DatabaseArtifacts,
        proposals: tuple[Proposal, ...],
        *,
        write_tolerance: float,
        progress: Progress,
    ) -> tuple[Proposal, ...]:
        """Try proposals on a copy; return those worth an experiment, with what was seen."""

    def bench(
        self, change: ChangeSpec | None, *, artifacts: DatabaseArtifacts, write_tolerance: float
    ) -> DatabaseBench:
        """Build both arms: A with all that was kept, B with `change` besides.

        Raises:
            ChangeError: If the change cannot be made.
        """

    def overall(
        self, kept: tuple[ChangeSpec, ...], *, artifacts: DatabaseArtifacts, write_tolerance: float
    ) -> DatabaseBench:
        """Build both arms: A as the target was copied at first, B with everything kept."""

    def keep(self, change: ChangeSpec) -> None:
        """Make a proven change part of the baseline of all later benches."""

    def bind(self, change: ChangeSpec) -> Change:
        """Build the change against the real database."""

    def close(self) -> None:
        """Remove the copies; idempotent."""
