"""SQLite: a file that is copied as often as it is needed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from perfwright.agents.database.design import KIND_PRAGMA
from perfwright.core import Change, ChangeSpec, Clock, Progress, Proposal, Target

if TYPE_CHECKING:
    from perfwright.agents.database.artifacts import DatabaseArtifacts
    from perfwright.agents.database.sqlite.bench import SqliteBench

START = "start.db"


class SqliteEngine:
    """One SQLite database, with the statements that a program sends to it.

    Args:
        target: The database.
        workload: A `.sql` script or JSON lines; without one, little can be judged.
        foreign_keys: Whether the program enforces them; None: if the schema declares any.
        propose_s: Seconds of processor time that trial builds may take.
        scratch: Folder for the copies; None: the system's.
        clock: The time.
    """

    def __init__(
        self,
        target: Target,
        *,
        workload: Path | None,
        foreign_keys: bool | None,
        propose_s: float,
        scratch: Path | None,
        clock: Clock,
    ) -> None:
        self._target, self._workload, self._foreign_keys = target, workload, foreign_keys
        self._propose_s, self._scratch, self._clock = propose_s, scratch, clock
        self._folder: Path | None = None
        self._settings: tuple[str, ...] = ()

    def examine(self, *, progress: Progress) -> DatabaseArtifacts:
        """Copy the database, read its schema, run the workload on the copy.

        Raises:
            TargetError: If the database cannot be copied.
            ConfigError: If the workload cannot be used.
        """
        from perfwright.agents.database.sqlite.examination import examine

        self.close()
        self._folder = Path(tempfile.mkdtemp(prefix="perfwright-db-", dir=self._scratch))
        try:
            return examine(
                self._target,
                folder=self._folder,
                workload=self._workload,
                foreign_keys=self._foreign_keys,
                clock=self._clock,
                progress=progress,
            )
        except BaseException:
            self.close()
            raise

    def summary(self, artifacts: DatabaseArtifacts) -> dict[str, float | str]:
        """What was looked at, for the report."""
        from perfwright.agents.database.sqlite.examination import summary_of

        return summary_of(artifacts)

    def try_all(
        self,
        artifacts: DatabaseArtifacts,
        proposals: tuple[Proposal, ...],
        *,
        write_tolerance: float,
        progress: Progress,
    ) -> tuple[Proposal, ...]:
        """Try proposals on a copy; return those worth an experiment."""
        from perfwright.agents.database.sqlite.examination import try_all

        return try_all(
            artifacts,
            proposals,
            folder=self._home,
            foreign_keys=self._enforces(artifacts),
            limit_s=self._propose_s,
            write_tolerance=write_tolerance,
            clock=self._clock,
            progress=progress,
        )

    def bench(
        self, change: ChangeSpec | None, *, artifacts: DatabaseArtifacts, write_tolerance: float
    ) -> SqliteBench:
        """Build both arms; without a change they are equal.

        Raises:
            ChangeError: If the change cannot be made.
        """
        from perfwright.agents.database.sqlite.bench import Setup, SqliteBench

        pragma = change is not None and change.kind == KIND_PRAGMA
        treated = self._home / "b.db"
        setup = Setup(
            baseline=self._home / "a.db",
            treated=treated,
            artifacts=artifacts,
            foreign_keys=self._enforces(artifacts),
            settings=self._settings,
            treated_settings=change.apply if change is not None and pragma else (),
            change=None if change is None or pragma else self._change(treated, change),
            write_tolerance=write_tolerance,
        )
        return SqliteBench(setup, clock=self._clock)

    def overall(
        self, kept: tuple[ChangeSpec, ...], *, artifacts: DatabaseArtifacts, write_tolerance: float
    ) -> SqliteBench:
        """Build both arms: A as the target was copied at first, B with everything kept."""
        from perfwright.agents.database.sqlite.bench import Setup, SqliteBench

        start, treated = self._home / START, self._home / "all.db"
        everything = _as_one(kept)
        setup = Setup(
            baseline=start if start.exists() else self._home / "a.db",
            treated=treated,
            artifacts=artifacts,
            foreign_keys=self._enforces(artifacts),
            treated_settings=self._settings,
            change=None if everything is None else self._change(treated, everything),
            write_tolerance=write_tolerance,
            whole=True,
        )
        return SqliteBench(setup, clock=self._clock)

    def keep(self, change: ChangeSpec) -> None:
        """Make a proven change part of the baseline of all later benches."""
        from perfwright.agents.database.sqlite.probes.arms import fresh_copy

        start = self._home / START
        if not start.exists():
            fresh_copy(self._home / "a.db", start)
        if change.kind == KIND_PRAGMA:
            self._settings = (*self._settings, *change.apply)
            return
        for name in ("a.db", "b.db"):
            path = self._home / name
            if path.exists():
                self._change(path, change).apply()

    def bind(self, change: ChangeSpec) -> Change:
        """Build the change against the real database."""
        return self._change(self._target.path, change)

    def close(self) -> None:
        """Remove the copies; idempotent."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder, self._settings = None, ()

    @property
    def _home(self) -> Path:
        assert self._folder is not None, "examine comes first"  # noqa: S101 - the agent sees to it
        return self._folder

    def _enforces(self, artifacts: DatabaseArtifacts) -> bool:
        if self._foreign_keys is not None:
            return self._foreign_keys
        return bool(artifacts.catalog.foreign_keys)

    @staticmethod
    def _change(path: Path, spec: ChangeSpec) -> Change:
        from perfwright.experiments.changes import SqliteChange

        return SqliteChange(path, spec)


def _as_one(kept: tuple[ChangeSpec, ...]) -> ChangeSpec | None:
    """All kept changes of the schema as one."""
    schema = [spec for spec in kept if spec.kind != KIND_PRAGMA]
    if not schema:
        return None
    return ChangeSpec(
        kind=schema[0].kind,
        subject="everything kept",
        apply=tuple(statement for spec in schema for statement in spec.apply),
        revert=tuple(statement for spec in reversed(schema) for statement in spec.revert),
        summary=f"{len(schema)} kept changes",
    )
