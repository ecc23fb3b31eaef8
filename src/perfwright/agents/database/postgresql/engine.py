"""PostgreSQL: a server that is only read, and databases of our own that hold copies of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from perfwright.agents.database.postgresql.setting_changes import KIND_SETTING, session_form
from perfwright.core import Change, ChangeSpec, Clock, ConfigError, Progress, Proposal, Target

if TYPE_CHECKING:
    from perfwright.agents.database.artifacts import DatabaseArtifacts
    from perfwright.agents.database.postgresql.bench import PostgresBench
    from perfwright.agents.database.postgresql.probes.place import Place


class PostgresEngine:
    """One PostgreSQL database, with the statements that it is asked.

    Args:
        target: The database.
        workload: A `.sql` script, JSON lines or a server log; None: the server's own statistics.
        propose_s: Seconds that trial builds may take.
        scratch_url: Database of a server on which copies may be made; None: see `find_place`.
        watch_s: Seconds for which the server's activity is sampled.
        clock: The time.
    """

    def __init__(
        self,
        target: Target,
        *,
        workload: Path | None,
        propose_s: float,
        scratch_url: str | None,
        watch_s: float,
        clock: Clock,
    ) -> None:
        self._target, self._workload, self._propose_s = target, workload, propose_s
        self._scratch_url, self._watch_s, self._clock = scratch_url, watch_s, clock
        self._owner = os.getpid()
        self._place: Place | None = None
        self._settings: tuple[str, ...] = ()
        self._target_s = 0.0

    def examine(self, *, progress: Progress) -> DatabaseArtifacts:
        """Read schema, statistics and workload of the server, copy it, run the workload there.

        Where no copy can be made, findings are all that there is, and a note says what is missing.

        Raises:
            TargetError: If the database cannot be read.
            ConfigError: If the workload cannot be used.
        """
        from perfwright.agents.database.postgresql.examination import observe
        from perfwright.agents.database.postgresql.looking import look

        self.close()
        looked = look(
            self._target,
            workload=self._workload,
            scratch_url=self._scratch_url,
            watch_s=self._watch_s,
            owner=self._owner,
            clock=self._clock,
            progress=progress,
        )
        self._place, self._target_s = looked.place, looked.target_s
        if looked.place is None or not looked.shapes:
            return looked.artifacts
        try:
            return observe(
                looked.artifacts,
                looked.shapes,
                copies=looked.place.copies,
                settings=looked.place.session,
                clock=self._clock,
                progress=progress,
                source=str(self._workload) if self._workload else None,
            )
        except BaseException:
            self.close()
            raise

    def summary(self, artifacts: DatabaseArtifacts) -> dict[str, float | str]:
        """What was looked at, for the report."""
        from perfwright.agents.database.postgresql.examination import summary_of

        return {**summary_of(artifacts), "target_seconds": round(self._target_s, 3)}

    def try_all(
        self,
        artifacts: DatabaseArtifacts,
        proposals: tuple[Proposal, ...],
        *,
        write_tolerance: float,
        progress: Progress,
    ) -> tuple[Proposal, ...]:
        """Try proposals on a copy; return those worth an experiment."""
        from perfwright.agents.database.postgresql.examination import try_all
        from perfwright.agents.database.postgresql.probes.tuning import machine_memory

        if self._place is None:
            return proposals
        return try_all(
            artifacts,
            proposals,
            copies=self._place.copies,
            settings=self._place.session,
            limit_s=self._propose_s,
            write_tolerance=write_tolerance,
            memory_bytes=machine_memory(self._target.location),
            clock=self._clock,
            progress=progress,
        )

    def bench(
        self, change: ChangeSpec | None, *, artifacts: DatabaseArtifacts, write_tolerance: float
    ) -> PostgresBench:
        """Build both arms from one template; without a change they are equal.

        Raises:
            ChangeError: If the change cannot be made.
        """
        from perfwright.agents.database.postgresql.probes.copies import BASE

        setting = change is not None and change.kind == KIND_SETTING
        return self._bench(
            template=BASE,
            changes=() if change is None or setting else (change,),
            common=self._settings,
            treated=session_form(change) if change is not None and setting else (),
            artifacts=artifacts,
            write_tolerance=write_tolerance,
        )

    def overall(
        self, kept: tuple[ChangeSpec, ...], *, artifacts: DatabaseArtifacts, write_tolerance: float
    ) -> PostgresBench:
        """Build both arms: A as the target was copied at first, B with everything kept."""
        from perfwright.agents.database.postgresql.probes.copies import BASE, START

        copies = self._home.copies
        return self._bench(
            template=START if copies.exists(START) else BASE,
            changes=tuple(spec for spec in kept if spec.kind != KIND_SETTING),
            treated=self._settings,
            artifacts=artifacts,
            write_tolerance=write_tolerance,
            whole=True,
        )

    def keep(self, change: ChangeSpec) -> None:
        """Make a proven change part of the baseline of all later benches."""
        from perfwright.agents.database.postgresql.probes.copies import BASE, START

        copies = self._home.copies
        if not copies.exists(START):
            copies.create(START, template=BASE)
        if change.kind == KIND_SETTING:
            self._settings = (*self._settings, *session_form(change))
        else:
            copies.make(BASE, (change,))

    def bind(self, change: ChangeSpec) -> Change:
        """Build the change against the real database."""
        from perfwright.experiments.changes import PostgresChange

        return PostgresChange(self._target.location, change)

    def close(self) -> None:
        """Remove the copies; idempotent."""
        if self._place is not None:
            self._place.close()
        self._place, self._settings = None, ()

    def _bench(
        self,
        *,
        template: str,
        changes: tuple[ChangeSpec, ...],
        common: tuple[str, ...] = (),
        treated: tuple[str, ...],
        artifacts: DatabaseArtifacts,
        write_tolerance: float,
        whole: bool = False,
    ) -> PostgresBench:
        from perfwright.agents.database.postgresql.bench import PostgresBench, Setup

        copies = self._home.copies
        copies.create("a", template=template)
        copies.create("b", template=template)
        copies.make("b", changes)
        if self._home.server is not None:
            self._home.server.restart()
        setup = Setup(
            copies=copies,
            artifacts=artifacts,
            settings=(*self._home.session, *common),
            treated_settings=treated,
            write_tolerance=write_tolerance,
            whole=whole,
        )
        return PostgresBench(setup, clock=self._clock)

    @property
    def _home(self) -> Place:
        if self._place is None:
            raise ConfigError(
                field="--scratch-url",
                value=self._scratch_url,
                problem="nothing can be measured without a copy of the database; the notes of the "
                "run say what would allow one",
            )
        return self._place
