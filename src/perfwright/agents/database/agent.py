"""The database agent: examines a database, proposes changes, benches them on copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perfwright.core import (
    AgentProfile,
    Bench,
    Change,
    ChangeSpec,
    Clock,
    ConfigError,
    IdentifiedFinding,
    Layer,
    Progress,
    Proposal,
    Scope,
    SystemClock,
    Target,
    TargetError,
    TargetKind,
    parse_target,
)

if TYPE_CHECKING:
    from perfwright.agents.database.artifacts import DatabaseArtifacts
    from perfwright.agents.database.engine import Engine

PROPOSE_S = 60.0
WATCH_S = 5.0
WRITE_TOLERANCE = 0.10
DANGERS = frozenset(
    {
        "connection-saturation",
        "lock-chain",
        "replication-slot",
        "sequence-exhaustion",
        "transaction-wraparound",
    }
)
"""Detectors of what stops a system rather than slows it."""


class DatabasePerformanceAgent:
    """Looks at one database, with the statements that a program sends to it.

    It can be pickled at any time: everything between two calls is in the copies or plain data.

    Args:
        target: A target, or its text form such as `sqlite:///shop.db`.
        workload: A `.sql` script or JSON lines. Without one, little can be judged of an SQLite
            file; of a PostgreSQL server, its own statistics tell what it is asked.
        foreign_keys: Whether the program enforces them; None: if the schema declares any.
            PostgreSQL always does.
        write_tolerance: How much dearer the writes may get, 0 to 1: a guardrail.
        propose_s: Seconds of processor time that `propose` may spend on trial builds.
        scratch: Folder for the copies; None: the system's.
        scratch_url: URL of a PostgreSQL database on whose server copies may be made; None: a
            private server on this machine, else beside the target, where its role may create some.
        watch_s: Seconds to watch a PostgreSQL server for values and repetitions of its statements;
            None: `WATCH_S`. From 30 on, what it executes meanwhile is the workload.
        clock: The time.

    Raises:
        TargetError: If the target is no database of a known kind.
        MissingExtraError: If the driver of that kind is not installed.
    """

    name = "DatabasePerformanceAgent"
    layer = Layer.DATABASE

    def __init__(
        self,
        target: Target | str,
        *,
        workload: Path | str | None = None,
        foreign_keys: bool | None = None,
        write_tolerance: float = WRITE_TOLERANCE,
        propose_s: float = PROPOSE_S,
        scratch: Path | None = None,
        scratch_url: str | None = None,
        watch_s: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.target = parse_target(target) if isinstance(target, str) else target
        self._workload = Path(workload) if workload is not None else None
        self._write_tolerance = write_tolerance
        self._engine = _engine_for(
            self.target,
            workload=self._workload,
            foreign_keys=foreign_keys,
            propose_s=propose_s,
            scratch=scratch,
            scratch_url=scratch_url,
            watch_s=WATCH_S if watch_s is None else watch_s,
            clock=clock or SystemClock(),
        )
        self._artifacts: DatabaseArtifacts | None = None
        self._findings: tuple[IdentifiedFinding, ...] = ()
        self._kept: tuple[ChangeSpec, ...] = ()
        self._writes = 1.0  # what the writes take, against the start

    @property
    def artifacts(self) -> DatabaseArtifacts:
        """What was seen; examines first when nothing was yet."""
        if self._artifacts is None:
            self.examine()
        assert self._artifacts is not None  # noqa: S101 - examine sets it or raises
        return self._artifacts

    def examine(self, *, progress: Progress | None = None) -> AgentProfile:
        """Read the schema, copy the database, run the workload on the copy, judge.

        Raises:
            TargetError: If the database cannot be read or copied.
            ConfigError: If the workload cannot be used.
        """
        from perfwright.agents.database.registry import judge

        self.close()
        self._artifacts = self._engine.examine(progress=progress or _silent)
        self._findings = judge(self._artifacts)
        return AgentProfile(
            agent=self.name,
            layer=self.layer,
            findings=self._findings,
            summary=self._engine.summary(self._artifacts),
            notes=(*_dangers(self._findings), *self._artifacts.notes),
        )

    def propose(self, *, scope: Scope, progress: Progress | None = None) -> Sequence[Proposal]:
        """Try candidate changes on a copy; return those that are worth an experiment."""
        from perfwright.agents.database.registry import answer

        artifacts = self.artifacts
        proposals = answer(artifacts, self._findings, scope=scope)
        if artifacts.workload is None:
            return proposals
        return self._engine.try_all(
            artifacts,
            proposals,
            write_tolerance=self._write_tolerance,
            progress=progress or _silent,
        )

    def bench(self, proposal: Proposal | None) -> Bench:
        """Build both arms; with None they are equal.

        Raises:
            ConfigError: If there is no workload to measure.
            ChangeError: If the change cannot be made.
        """
        left = (1.0 + self._write_tolerance) / self._writes - 1.0
        change = proposal.change if proposal else None
        return self._engine.bench(change, artifacts=self._measurable(), write_tolerance=left)

    def overall(self) -> Bench:
        """Build both arms: A as the target was copied at first, B with everything kept."""
        return self._engine.overall(
            self._kept, artifacts=self._measurable(), write_tolerance=self._write_tolerance
        )

    def levels(self) -> Mapping[str, tuple[float, float]]:
        """Measure latencies and times of the workload at the start and with everything kept."""
        from perfwright.agents.database.levels import measure_levels

        bench = self._engine.overall(
            self._kept, artifacts=self._measurable(), write_tolerance=self._write_tolerance
        )
        try:
            return measure_levels(bench)
        finally:
            bench.close()

    def keep(self, proposal: Proposal, *, effects: Mapping[str, float]) -> None:
        """Make a proven change part of the baseline of all later benches.

        The tolerance of writes is one for the whole run: what a change makes them dearer is
        gone for those after it, what it makes them cheaper is won.
        """
        self._kept = (*self._kept, proposal.change)
        self._writes *= effects.get("writes", 1.0)
        self._engine.keep(proposal.change)

    def bind(self, proposal: Proposal) -> Change:
        """Build the change against the real database."""
        return self._engine.bind(proposal.change)

    def close(self) -> None:
        """Remove the copies; idempotent."""
        self._engine.close()
        self._artifacts = None
        self._findings, self._kept = (), ()
        self._writes = 1.0

    def profile(self) -> dict[str, object]:
        """Examine, and return what was found as plain data, costliest first."""
        try:
            seen = self.examine()
        finally:
            self.close()
        return {
            "agent": seen.agent,
            "layer": str(seen.layer),
            "target": str(self.target),
            "summary": dict(seen.summary),
            "findings": [
                {
                    "id": identified.id,
                    "detector": identified.detector,
                    "layer": str(identified.layer),
                    "subject": identified.finding.subject,
                    "evidence": identified.finding.evidence,
                    "cost": identified.finding.cost,
                    "unit": identified.finding.unit,
                    "confidence": identified.finding.confidence,
                }
                for identified in seen.findings
            ],
            "notes": list(seen.notes),
        }

    def _measurable(self) -> DatabaseArtifacts:
        """What was seen.

        Raises:
            ConfigError: If none of it can be executed.
            TargetError: If a server told no statements, or there is no copy to execute them on.
        """
        artifacts = self.artifacts
        if self.target.kind is TargetKind.POSTGRESQL and artifacts.workload is None:
            raise TargetError(
                target=str(self.target),
                problem="nothing can be proven, since no statement could be run on a copy",
                remedy="the notes of the run say what is missing",
            )
        if not any(o.cost is not None for o in artifacts.workload or ()):
            raise ConfigError(
                field="workload",
                value=str(self._workload) if self._workload else None,
                problem="nothing can be measured without statements that run; give --workload FILE",
            )
        return artifacts


def _engine_for(
    target: Target,
    *,
    workload: Path | None,
    foreign_keys: bool | None,
    propose_s: float,
    scratch: Path | None,
    scratch_url: str | None,
    watch_s: float,
    clock: Clock,
) -> Engine:
    if target.kind is TargetKind.SQLITE:
        from perfwright.agents.database.sqlite.engine import SqliteEngine

        return SqliteEngine(
            target,
            workload=workload,
            foreign_keys=foreign_keys,
            propose_s=propose_s,
            scratch=scratch,
            clock=clock,
        )
    if target.kind is TargetKind.POSTGRESQL:
        from perfwright.agents.database.postgresql.engine import PostgresEngine

        return PostgresEngine(
            target,
            workload=workload,
            propose_s=propose_s,
            scratch_url=scratch_url,
            watch_s=watch_s,
            clock=clock,
        )
    raise TargetError(
        target=str(target),
        problem="is no database",
        remedy="give a SQLite file, or a URL postgresql://...",
    )


def _dangers(findings: tuple[IdentifiedFinding, ...]) -> Iterator[str]:
    """Yield what stops a system: it costs no time yet, so as a finding it is listed last."""
    for found in findings:
        if found.detector in DANGERS:
            yield f"danger ({found.detector}): {found.finding.subject}: {found.finding.evidence}"


def _silent(_line: str) -> None:
    """Report progress to nobody."""
