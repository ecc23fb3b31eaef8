"""What a statement took on a scratch copy, and what executes it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from perfwright.agents.database.artifacts import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What one execution took."""

    seconds: float
    work: float
    """What does not move with the load: steps of SQLite's virtual machine; for PostgreSQL `work_of`
    its buffers and rows."""
    rows: float
    pages: float = 0.0
    """SQLite: pages that a write touches. PostgreSQL: buffers that a read or write touches."""
    stopped: bool = False
    """It ran into a limit: the figures are lower bounds."""
    worked_s: float | None = None
    """PostgreSQL only: processor time of the server process in it, which other programs on the
    machine hardly move; None where that cannot be seen."""

    @property
    def charged_s(self) -> float:
        """Processor time where it is known, else time by the clock."""
        return self.seconds if self.worked_s is None else self.worked_s


class Replayer(Protocol):
    """Executes samples on one connection to a scratch copy; nothing is ever committed."""

    def time(self, sample: Sample, *, limit_s: float) -> Execution:
        """Run a statement that reads, once, without counting its work."""

    def write(self, sample: Sample, *, limit_s: float, room: tuple[str, ...] = ()) -> Execution:
        """Run a statement that writes, and roll it back; `room` goes first, uncounted."""

    def close(self) -> None:
        """Close the connection; idempotent."""
