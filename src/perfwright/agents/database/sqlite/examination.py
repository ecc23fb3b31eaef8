"""The two long steps of the database agent: looking, and trying."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import process_time

from perfwright.agents.database.artifacts import CacheTrial, DatabaseArtifacts
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.choosing import choose
from perfwright.agents.database.sqlite.probes.arms import fresh_copy
from perfwright.agents.database.sqlite.probes.catalog import read_catalog
from perfwright.agents.database.sqlite.probes.connection import open_scratch, target_errors
from perfwright.agents.database.sqlite.probes.observation import Observer
from perfwright.agents.database.sqlite.probes.replay import Replayer
from perfwright.agents.database.sqlite.probes.scratch import copy_target
from perfwright.agents.database.sqlite.probes.settings import try_larger_cache
from perfwright.agents.database.sqlite.probes.trials import SqliteTrials
from perfwright.agents.database.telling import ToldTrials, few_writes_note, problems
from perfwright.agents.database.workload import load_workload
from perfwright.core import Clock, ConfigError, Progress, Proposal, Target

BUSY_FACTOR = 3.0  # wall time may exceed the limit this many times where others keep the CPU busy
QUICK_BUILDS = (
    "PRAGMA secure_delete=OFF",  # Debian's default overwrites the pages of a dropped index
    "PRAGMA cache_size=-131072",  # indexes are sorted in memory
    "PRAGMA temp_store=MEMORY",
)


def examine(
    target: Target,
    *,
    folder: Path,
    workload: Path | None,
    foreign_keys: bool | None,
    clock: Clock,
    progress: Progress,
) -> DatabaseArtifacts:
    """Copy a database and look at it.

    Raises:
        TargetError: If it cannot be copied.
        ConfigError: If the workload cannot be used.
    """
    if workload is not None and not workload.is_file():
        load_workload(workload)  # fails with the reason, before anything is copied
    progress(f"copying {target}")
    copy = folder / "a.db"
    copy_target(target.path, copy, clock=clock, name=str(target))
    trial = folder / "trial.db"
    fresh_copy(copy, trial)
    with target_errors(str(target)):
        replayer = Replayer(open_scratch(trial, foreign_keys=False), path=trial, clock=clock)
        try:
            progress("reading the schema")
            catalog = read_catalog(replayer.connection)
            enforce = bool(catalog.foreign_keys) if foreign_keys is None else foreign_keys
            replayer.connection.execute(f"PRAGMA foreign_keys={int(enforce)}")
            return _observe(
                replayer, catalog, workload=workload, enforce=enforce, progress=progress
            )
        finally:
            replayer.close()
            trial.unlink(missing_ok=True)


def try_all(
    artifacts: DatabaseArtifacts,
    proposals: tuple[Proposal, ...],
    *,
    folder: Path,
    foreign_keys: bool,
    limit_s: float,
    write_tolerance: float,
    clock: Clock,
    progress: Progress,
) -> tuple[Proposal, ...]:
    """Try proposals on a copy; return those worth an experiment.

    Args:
        limit_s: Seconds of processor time that the trials may take.
        write_tolerance: How much dearer the writes may get, 0 to 1.
    """
    path = folder / "trial.db"
    fresh_copy(folder / "a.db", path)
    connection = open_scratch(path, foreign_keys=foreign_keys)
    for setting in QUICK_BUILDS:
        connection.execute(setting).fetchall()
    replayer = Replayer(connection, path=path, clock=clock)
    began, began_cpu = clock.now(), process_time()

    def time_is_up(*, share: float = 1.0) -> bool:
        # By the processor, so that a busy machine does not make the advice poorer; by the clock
        # beyond that, for a slow disk.
        spent_s = max(process_time() - began_cpu, (clock.now() - began) / BUSY_FACTOR)
        return spent_s > share * limit_s

    try:
        progress("measuring the workload on a copy")
        trials = SqliteTrials(
            replayer, catalog=artifacts.catalog, workload=artifacts.workload or ()
        )
        return choose(
            artifacts,
            proposals,
            trials=ToldTrials(trials, progress=progress, expected=len(proposals)),
            write_tolerance=write_tolerance,
            time_is_up=time_is_up,
        )
    finally:
        replayer.close()
        path.unlink(missing_ok=True)


def summary_of(artifacts: DatabaseArtifacts) -> dict[str, float | str]:
    """What was looked at, for the report."""
    catalog = artifacts.catalog
    workload = artifacts.workload or ()
    return {
        "tables": len(catalog.tables),
        "rows": sum(table.rows for table in catalog.tables),
        "indexes": len(catalog.indexes),
        "bytes": catalog.size_bytes,
        "shapes": len(workload),
        "statements": sum(o.shape.calls for o in workload),
        "executable_shapes": sum(o.cost is not None for o in workload),
        "replay_ms": round(sum(o.total_ms for o in workload), 3),
        "sqlite": catalog.version,
    }


def _observe(
    replayer: Replayer,
    catalog: Catalog,
    *,
    workload: Path | None,
    enforce: bool,
    progress: Progress,
) -> DatabaseArtifacts:
    if workload is None:
        return DatabaseArtifacts(catalog=catalog, notes=tuple(_without_workload()))
    loaded = load_workload(workload, names=_names(catalog))
    observer = Observer(replayer=replayer, catalog=catalog, foreign_keys=enforce)
    seen = observer.observe(loaded.shapes, progress)
    if not any(o.cost is not None for o in seen):
        raise ConfigError(
            field="workload",
            value=str(workload),
            problem=f"none of its statements runs on this database: {seen[0].problem}",
        )
    progress("trying a larger page cache")
    cache: CacheTrial | None = try_larger_cache(replayer, seen, size_bytes=catalog.size_bytes)
    return DatabaseArtifacts(
        catalog=catalog,
        workload=seen,
        term_counts=observer.term_counts(seen),
        cache=cache,
        notes=(
            *loaded.notes,
            *problems(seen),
            *few_writes_note(seen),
            *_assumptions(catalog, enforce=enforce),
        ),
    )


def _names(catalog: Catalog) -> frozenset[str]:
    """Every identifier of the schema, folded."""
    names = {name for t in catalog.tables for name in (t.name, *(c.name for c in t.columns))}
    names |= {i.name for i in catalog.indexes} | {v.name for v in catalog.views}
    return frozenset(name.casefold() for name in names)


def _without_workload() -> Iterator[str]:
    yield (
        "no workload: judged are duplicate and redundant indexes, foreign keys without an index "
        "and stale statistics"
    )
    yield (
        "no workload: missing and unused indexes, sorts and settings cannot be judged; record one "
        "with `perfwright record` or give --workload FILE"
    )


def _assumptions(catalog: Catalog, *, enforce: bool) -> Iterator[str]:
    if catalog.foreign_keys:
        state = "on" if enforce else "off"
        yield f"measured with PRAGMA foreign_keys={state}; set it as the program does"
