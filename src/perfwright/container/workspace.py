"""The ledger, the scratch space and the changes of one working folder, opened and repaired."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from perfwright.core import (
    Change,
    ChangeSpec,
    Clock,
    ConfigError,
    LedgerError,
    Target,
    TargetKind,
    is_alive,
    parse_target,
)
from perfwright.experiments.changes import (
    POSTGRESQL_DDL,
    POSTGRESQL_SETTING,
    PostgresChange,
    SqliteChange,
    Surroundings,
    TrafficWatch,
    refuse_made,
    require_driver,
    spec_from_postgresql_sql,
    spec_from_sql,
)
from perfwright.experiments.ledger import Applier, ChangeEntry, Guard, Ledger

HOME = ".perfwright"
KIND = "sqlite-ddl"
KINDS_POSTGRESQL = (POSTGRESQL_DDL, POSTGRESQL_SETTING)
LEDGER_VARIABLE = "PERFWRIGHT_LEDGER"


WATCH_S = 30.0
"""How long the traffic of a server is watched after each change."""


def _say_nothing(_: str) -> None:
    """Let a line of progress pass."""


def _see_nothing() -> str | None:
    """Find nothing wrong."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Everything that outlives a run. Use as a context manager."""

    ledger: Ledger
    applier: Applier
    folder: Path
    recovered: tuple[ChangeEntry, ...]
    """Changes that were open and were taken back just now; the note says how they were left."""
    unresolved: tuple[tuple[ChangeEntry, str], ...] = ()
    """Those that could not be taken back, with the reason; they stay open."""
    say: Callable[[str], None] = _say_nothing
    """Takes lines about what a change waits for."""

    def __enter__(self) -> Workspace:
        """Return the workspace."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the ledger."""
        self.ledger.close()

    def guard(self, entry: ChangeEntry, *, watch_s: float | None) -> Guard:
        """Build what looks at a target after a change; before the change is made.

        Args:
            entry: The change to be made.
            watch_s: How long to look; None for `WATCH_S`, 0 for not at all.
        """
        target = parse_target(entry.target)
        seconds = WATCH_S if watch_s is None else watch_s
        if target.kind is not TargetKind.POSTGRESQL or seconds <= 0.0:
            return _see_nothing
        return TrafficWatch(
            url=target.location,
            spec=entry.spec,
            seconds=seconds,
            around=Surroundings(say=self.say),
        )

    def scratch(self) -> Path:
        """Make an empty folder for copies; removed when its process is gone.

        Raises:
            LedgerError: If it cannot be made.
        """
        parent = self.folder / "scratch"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))
        except OSError as error:
            raise LedgerError(f"{parent} cannot be written to: {error.strerror}") from error


def open_workspace(
    location: str | None, *, clock: Clock, say: Callable[[str], None] = _say_nothing
) -> Workspace:
    """Open the ledger, sweep up after processes that died, take back what they left undecided.

    Args:
        location: Path or URL of the ledger; else the environment's, else `.perfwright` here.
        clock: Dates the entries.
        say: Takes lines about what a change of a server waits for and how far it is.

    Raises:
        LedgerError: If the ledger cannot be used.
        RevertError: If something undecided could not be taken back; nothing else is done then.
    """
    place = location or os.environ.get(LEDGER_VARIABLE) or str(Path(HOME) / "ledger.db")
    ledger = Ledger(place, clock=clock)
    folder = ledger.folder or Path(HOME).absolute()
    _ignore_in_git(folder)
    _sweep(folder / "scratch")
    ledger.close_orphans()
    applier = Applier(ledger=ledger, bind=partial(bind_change, say=say))
    recovery = applier.recover()
    return Workspace(
        ledger=ledger,
        applier=applier,
        folder=folder,
        recovered=recovery.taken_back,
        unresolved=recovery.unresolved,
        say=say,
    )


def bind_change(entry: ChangeEntry, *, say: Callable[[str], None] = _say_nothing) -> Change:
    """Build the change of a ledger entry against its real target.

    Raises:
        ConfigError: If this version knows no change of that kind.
        MissingExtraError: If the driver of the target is not installed.
    """
    target = parse_target(entry.target)
    if target.kind is TargetKind.SQLITE and entry.spec.kind == KIND:
        return SqliteChange(target.path, entry.spec)
    if target.kind is TargetKind.POSTGRESQL and entry.spec.kind in KINDS_POSTGRESQL:
        require_driver()
        return PostgresChange(target.location, entry.spec, Surroundings(say=say))
    raise ConfigError(
        field="change.kind",
        value=entry.spec.kind,
        problem="cannot be made from outside; the report says what to set in your program",
    )


def with_present_inverse(entry: ChangeEntry) -> ChangeEntry:
    """Replace the inverse of an entry by that of the target as it is now.

    The inverse of a proposal restores the copy that it was tried on; since then other changes may
    have been made, and the statistics of the target may have been gathered anew. What is done to a
    PostgreSQL target is written anew as well: for its present schemas and partitions.

    Raises:
        AlreadyMadeError: If the target has an index that the change would make.
        ForbiddenChangeError: If a name is taken, or the target lacks what the change drops.
        UnreadableTargetError: If the target cannot be read.
        MissingExtraError: If the driver of the target is not installed.
    """
    target = parse_target(entry.target)
    if target.kind is TargetKind.POSTGRESQL and entry.spec.kind in KINDS_POSTGRESQL:
        require_driver()
        refuse_made(target.location, entry.spec)
        present = spec_from_postgresql_sql(target.location, ";\n".join(entry.spec.apply))
        spec = replace(entry.spec, apply=present.apply, revert=present.revert)
        return replace(entry, spec=spec)
    if target.kind is not TargetKind.SQLITE or entry.spec.kind != KIND:
        return entry
    present = spec_from_sql(target.path, ";\n".join(entry.spec.apply))
    return replace(entry, spec=replace(entry.spec, revert=present.revert))


def spec_of_script(target: Target, script: str) -> ChangeSpec:
    """Build a reversible change from a user's SQL, for the kind of database that a target is.

    Raises:
        ForbiddenChangeError: If it holds something that is never done, or cannot be taken back.
        UnreadableTargetError: If the target cannot be read.
        MissingExtraError: If the driver of the target is not installed.
    """
    if target.kind is TargetKind.POSTGRESQL:
        require_driver()
        return spec_from_postgresql_sql(target.location, script)
    return spec_from_sql(target.path, script)


def _sweep(scratch: Path) -> None:
    """Remove the copies of processes that are gone."""
    for leftover in scratch.glob("*-*"):
        owner = leftover.name.partition("-")[0]
        if owner.isdigit() and not is_alive(int(owner)):
            shutil.rmtree(leftover, ignore_errors=True)


def _ignore_in_git(folder: Path) -> None:
    """Keep ledgers and copies out of the user's commits without touching their own files."""
    marker = folder / ".gitignore"
    if folder.name != HOME or marker.exists():
        return
    try:
        marker.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise LedgerError(f"{folder} cannot be written to: {error.strerror}") from error
