"""The database agent: examines a SQLite file, proposes changes, benches them on copies."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
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
    from perfwright.agents.database.bench import SqliteBench

PROPOSE_S = 45.0
KIND_PRAGMA = "sqlite-pragma"
WRITE_TOLERANCE = 0.10
START = "start.db"


class DatabasePerformanceAgent:
    """Looks at one SQLite database, with the statements that a program sends to it.

    It can be pickled at any time: everything between two calls is on disk or plain data.

    Args:
        target: A target, or its text form such as `sqlite:///shop.db`.
        workload: A `.sql` script or JSON lines; without one, little can be judged.
        foreign_keys: Whether the program enforces them; None: if the schema declares any.
        write_tolerance: How much dearer the writes may get, 0 to 1: a guardrail.
        propose_s: Seconds of processor time that `propose` may spend on trial builds.
        scratch: Folder for the copies; None: the system's.
        clock: The time.

    Raises:
        TargetError: If the target is no SQLite database.
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
        clock: Clock | None = None,
    ) -> None:
        self.target = parse_target(target) if isinstance(target, str) else target
        if self.target.kind is not TargetKind.SQLITE:
            raise TargetError(
                target=str(self.target),
                problem="is no SQLite database",
                remedy="give a SQLite file; other databases are not examined yet",
            )
        self._workload = Path(workload) if workload is not None else None
        self._foreign_keys = foreign_keys
        self._write_tolerance = write_tolerance
        self._propose_s = propose_s
        self._scratch = scratch
        self._clock: Clock = clock or SystemClock()
        self._folder: Path | None = None
        self._artifacts: DatabaseArtifacts | None = None
        self._findings: tuple[IdentifiedFinding, ...] = ()
        self._settings: tuple[str, ...] = ()
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
        """Copy the database, read its schema, run the workload on the copy, judge.

        Raises:
            TargetError: If the database cannot be copied.
            ConfigError: If the workload cannot be used.
        """
        from perfwright.agents.database.examination import examine, summary_of
        from perfwright.agents.database.registry import judge

        self.close()
        self._folder = Path(tempfile.mkdtemp(prefix="perfwright-db-", dir=self._scratch))
        try:
            self._artifacts = examine(
                self.target,
                folder=self._folder,
                workload=self._workload,
                foreign_keys=self._foreign_keys,
                clock=self._clock,
                progress=progress or _silent,
            )
        except BaseException:
            self.close()
            raise
        self._findings = judge(self._artifacts)
        return AgentProfile(
            agent=self.name,
            layer=self.layer,
            findings=self._findings,
            summary=summary_of(self._artifacts),
            notes=self._artifacts.notes,
        )

    def propose(self, *, scope: Scope, progress: Progress | None = None) -> Sequence[Proposal]:
        """Try candidate changes on a copy; return those that are worth an experiment."""
        from perfwright.agents.database.examination import try_all
        from perfwright.agents.database.registry import answer

        artifacts = self.artifacts
        proposals = answer(artifacts, self._findings, scope=scope)
        if artifacts.workload is None:
            return proposals
        return try_all(
            artifacts,
            proposals,
            folder=self._home(),
            foreign_keys=self._enforces(),
            limit_s=self._propose_s,
            clock=self._clock,
            progress=progress or _silent,
        )

    def bench(self, proposal: Proposal | None) -> Bench:
        """Build both arms; with None they are equal.

        Raises:
            ConfigError: If there is no workload to measure.
            ChangeError: If the change cannot be made.
        """
        return self._bench(proposal.change if proposal else None, baseline="a.db")

    def overall(self) -> Bench:
        """Build both arms: A as the target was copied at first, B with everything kept."""
        return self._bench(self._everything(), baseline=self._start())

    def levels(self) -> Mapping[str, tuple[float, float]]:
        """Measure latencies and times of the workload at the start and with everything kept."""
        from perfwright.agents.database.levels import measure_levels

        bench = self._bench(self._everything(), baseline=self._start())
        try:
            return measure_levels(bench)
        finally:
            bench.close()

    def _start(self) -> str:
        """The copy of the target as it was: the common one as long as nothing was kept."""
        return START if (self._home() / START).exists() else "a.db"

    def _everything(self) -> ChangeSpec | None:
        """All kept changes of the schema as one."""
        kept = [spec for spec in self._kept if spec.kind != KIND_PRAGMA]
        if not kept:
            return None
        return ChangeSpec(
            kind=kept[0].kind,
            subject="everything kept",
            apply=tuple(statement for spec in kept for statement in spec.apply),
            revert=tuple(statement for spec in reversed(kept) for statement in spec.revert),
            summary=f"{len(kept)} kept changes",
        )

    def _bench(self, spec: ChangeSpec | None, *, baseline: str) -> SqliteBench:
        from perfwright.agents.database.bench import Setup, SqliteBench

        artifacts = self.artifacts
        if not any(o.cost is not None for o in artifacts.workload or ()):
            raise ConfigError(
                field="workload",
                value=str(self._workload) if self._workload else None,
                problem="nothing can be measured without statements that run; give --workload FILE",
            )
        pragma = spec is not None and spec.kind == KIND_PRAGMA
        whole = baseline == START
        treated = self._home() / ("all.db" if whole else "b.db")
        left = (1.0 + self._write_tolerance) / self._writes - 1.0
        tolerance = self._write_tolerance if whole else left
        own_settings = spec.apply if spec is not None and pragma else ()
        setup = Setup(
            baseline=self._home() / baseline,
            treated=treated,
            artifacts=artifacts,
            foreign_keys=self._enforces(),
            settings=() if whole else self._settings,
            treated_settings=self._settings if whole else own_settings,
            change=None if spec is None or pragma else self._change(treated, spec),
            write_tolerance=tolerance,
            whole=whole,
        )
        return SqliteBench(setup, clock=self._clock)

    def keep(self, proposal: Proposal, *, effects: Mapping[str, float]) -> None:
        """Make a proven change part of the baseline of all later benches.

        The tolerance of writes is one for the whole run: what a change makes them dearer is
        gone for those after it, what it makes them cheaper is won.
        """
        from perfwright.agents.database.probes.arms import fresh_copy

        start = self._home() / START
        if not start.exists():
            fresh_copy(self._home() / "a.db", start)
        self._kept = (*self._kept, proposal.change)
        self._writes *= effects.get("writes", 1.0)
        if proposal.change.kind == KIND_PRAGMA:
            self._settings = (*self._settings, *proposal.change.apply)
            return
        for name in ("a.db", "b.db"):
            path = self._home() / name
            if path.exists():
                self._change(path, proposal.change).apply()

    def bind(self, proposal: Proposal) -> Change:
        """Build the change against the real database."""
        return self._change(self.target.path, proposal.change)

    def close(self) -> None:
        """Remove the copies; idempotent."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = self._artifacts = None
        self._findings, self._settings, self._kept = (), (), ()
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

    def _home(self) -> Path:
        if self._folder is None:
            self.examine()
        assert self._folder is not None  # noqa: S101 - examine sets it or raises
        return self._folder

    def _enforces(self) -> bool:
        if self._foreign_keys is not None:
            return self._foreign_keys
        return bool(self.artifacts.catalog.foreign_keys)

    @staticmethod
    def _change(path: Path, spec: ChangeSpec) -> Change:
        from perfwright.experiments.changes import SqliteChange

        return SqliteChange(path, spec)


def _silent(_line: str) -> None:
    """Report progress to nobody."""
