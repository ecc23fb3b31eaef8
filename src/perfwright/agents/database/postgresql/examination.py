"""The two long steps of the PostgreSQL engine: looking, and trying."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

from perfwright.agents.database.artifacts import DatabaseArtifacts, Shape
from perfwright.agents.database.choosing import choose
from perfwright.agents.database.postgresql.batching import batched
from perfwright.agents.database.postgresql.probes.copies import BASE, Copies
from perfwright.agents.database.postgresql.probes.observation import Observer, literal_samples
from perfwright.agents.database.postgresql.probes.replay import Replayer, settle
from perfwright.agents.database.postgresql.probes.reviving import with_living_rows
from perfwright.agents.database.postgresql.probes.trials import PostgresTrials
from perfwright.agents.database.postgresql.probes.tuning import tune, tuning_note
from perfwright.agents.database.postgresql.settling import settling_statements
from perfwright.agents.database.telling import ToldTrials, few_writes_note, problems
from perfwright.core import Clock, ConfigError, Progress, Proposal

TRIAL = "trial"
BUSY_FACTOR = 2.0  # wall time may exceed the limit this many times where others use the processors


def observe(
    artifacts: DatabaseArtifacts,
    shapes: tuple[Shape, ...],
    *,
    copies: Copies,
    settings: tuple[str, ...],
    clock: Clock,
    progress: Progress,
    source: str | None = None,
) -> DatabaseArtifacts:
    """Run the statements of a workload on a copy of the copy, which is thrown away.

    Args:
        artifacts: What is known so far.
        shapes: The workload.
        copies: Where `base` is.
        settings: Statements for the session.
        clock: The time.
        progress: Told about each statement.
        source: The file that they come from; None: the server.

    Raises:
        ConfigError: If none of the statements runs.
    """
    with copies.open(BASE, settings=settings) as connection:
        literal = tuple(
            batched(replace(shape, samples=tuple(literal_samples(shape.samples, connection))))
            for shape in shapes
        )
        settle(connection, settling_statements(literal, artifacts.catalog))
        shapes, revived = with_living_rows(literal, connection, catalog=artifacts.catalog)
    copies.create(TRIAL, template=BASE)
    replayer = Replayer(copies.open(TRIAL, settings=settings), clock=clock)
    try:
        observer = Observer(replayer=replayer, catalog=artifacts.catalog)
        seen = observer.observe(shapes, progress)
        if not any(o.cost is not None for o in seen) and any(s.samples for s in shapes):
            problem = (
                f"none of its statements runs on this database: {seen[0].problem}; "
                "was it recorded from another one?"
            )
            raise ConfigError(field="workload", value=source, problem=problem)
        found = replace(artifacts, workload=seen, term_counts=observer.term_counts(seen))
        notes = (*revived, *problems(seen), *few_writes_note(seen), *tuning_note(found))
        return replace(found, notes=(*artifacts.notes, *notes))
    finally:
        replayer.close()
        copies.drop(TRIAL)


def try_all(
    artifacts: DatabaseArtifacts,
    proposals: tuple[Proposal, ...],
    *,
    copies: Copies,
    settings: tuple[str, ...],
    limit_s: float,
    write_tolerance: float,
    memory_bytes: float | None,
    clock: Clock,
    progress: Progress,
) -> tuple[Proposal, ...]:
    """Try proposals on a copy of the copy; return those worth an experiment.

    Args:
        artifacts: What was seen.
        proposals: What the remedies made of it.
        copies: Where `base` is.
        settings: Statements for the session.
        limit_s: Seconds that the trials may take.
        write_tolerance: How much dearer the writes may get, 0 to 1.
        memory_bytes: Of the target's machine; None: unknown.
        clock: The time.
        progress: Told about each trial.
    """
    copies.create(TRIAL, template=BASE)
    replayer = Replayer(copies.open(TRIAL, settings=settings), clock=clock)
    began = clock.now()

    def time_is_up(*, share: float = 1.0) -> bool:
        # By the processors, so that a busy machine does not make the advice poorer.
        wall_s, server_s = clock.now() - began, replayer.worked_s()
        if server_s is None:
            return wall_s > share * limit_s
        worked_s = process_time() - began_cpu + server_s
        return max(worked_s, wall_s / BUSY_FACTOR) > share * limit_s

    began_cpu = process_time()
    try:
        progress("measuring the workload on a copy")
        trials = PostgresTrials(
            replayer, catalog=artifacts.catalog, workload=artifacts.workload or ()
        )
        chosen = choose(
            artifacts,
            proposals,
            trials=ToldTrials(trials, progress=progress, expected=len(proposals)),
            write_tolerance=write_tolerance,
            time_is_up=time_is_up,
        )
        return tune(
            artifacts,
            chosen,
            replayer=replayer,
            memory_bytes=memory_bytes,
            clock=clock,
            progress=progress,
        )
    finally:
        replayer.close()
        copies.drop(TRIAL)


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
        "analysed_shapes": sum(bool(o.accesses) or o.target is not None for o in workload),
        "statements": sum(o.shape.calls for o in workload),
        "executable_shapes": sum(o.cost is not None for o in workload),
        "replay_ms": round(sum(o.total_ms for o in workload), 3),
        "postgresql": catalog.version,
    }
