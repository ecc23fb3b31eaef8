"""The first step of the PostgreSQL engine: what the target itself can tell, and a copy of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from perfwright.agents.database.artifacts import DatabaseArtifacts, Observation, Shape
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.postgresql.probes.catalog import read_catalog
from perfwright.agents.database.postgresql.probes.connection import (
    Connection,
    open_target,
    target_errors,
)
from perfwright.agents.database.postgresql.probes.copies import BASE
from perfwright.agents.database.postgresql.probes.copying import (
    Copied,
    copy_database,
    reading_permission,
    unreadable,
)
from perfwright.agents.database.postgresql.probes.literals import collect_workload
from perfwright.agents.database.postgresql.probes.place import Place, find_place
from perfwright.agents.database.postgresql.probes.planning import plan_only
from perfwright.agents.database.postgresql.probes.roles import as_the_workload
from perfwright.agents.database.postgresql.probes.server import read_server
from perfwright.core import Clock, Progress, Target

SERVER_WATCH_S = 2.0  # for locks and waits, which last when they matter


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What the target told."""

    artifacts: DatabaseArtifacts
    """Without what the statements cost, which only a copy tells."""
    shapes: tuple[Shape, ...]
    place: Place | None
    """None: no copy can be made; a note says why."""
    target_s: float
    """Seconds for which the target was busy with us."""


def look(
    target: Target,
    *,
    workload: Path | None,
    scratch_url: str | None,
    watch_s: float,
    owner: int,
    clock: Clock,
    progress: Progress,
) -> Looked:
    """Read schema, statistics and workload of a server, and copy its rows.

    Where no copy can be made, the statements are only planned, by the target itself.

    Raises:
        TargetError: If the database cannot be read.
        ConfigError: If the workload cannot be used.
    """
    reader = open_target(target)
    try:
        with target_errors(str(target)):
            began = clock.now()
            progress("reading the schema")
            catalog = read_catalog(reader)
            progress("watching the server")
            server, server_notes = read_server(reader, watch_s=SERVER_WATCH_S, clock=clock)
            progress("reading the workload")
            collected = collect_workload(
                reader,
                catalog=catalog,
                workload=workload,
                watch_s=watch_s,
                clock=clock,
                progress=progress,
            )
            looked_s = clock.now() - began
            planned: tuple[Observation, ...] | None = None
            place, notes, copying_s = _copy(
                target,
                reader,
                catalog=catalog,
                scratch_url=scratch_url,
                owner=owner,
                clock=clock,
                progress=progress,
            )
            if place is None and collected.shapes:
                planned = plan_only(collected.shapes, reader, catalog=catalog, progress=progress)
    finally:
        reader.close()
    artifacts = DatabaseArtifacts(
        catalog=catalog,
        workload=planned,
        workload_given=workload is not None,
        server=server,
        notes=(*collected.notes, *server_notes, *notes),
    )
    return Looked(
        artifacts=artifacts,
        shapes=collected.shapes,
        place=place and as_the_workload(place, server),
        target_s=looked_s + copying_s,
    )


def _copy(
    target: Target,
    reader: Connection,
    *,
    catalog: Catalog,
    scratch_url: str | None,
    owner: int,
    clock: Clock,
    progress: Progress,
) -> tuple[Place | None, tuple[str, ...], float]:
    """Find a place and fill it; returns it with notes and the seconds that the target was read."""
    found: Place | str
    if catalog.tables and len(unreadable(reader, catalog)) == len(catalog.tables):
        permission = reading_permission(reader, catalog.tables, major=catalog.major)
        found = f"the role may read none of the tables; to allow it: {permission}"
    else:
        found = find_place(target, reader, catalog=catalog, scratch_url=scratch_url, owner=owner)
    if isinstance(found, str):
        return None, (f"nothing can be proven without a copy: {found}",), 0.0
    try:
        found.copies.create(BASE, locale=found.locale)
        copied: Copied = copy_database(
            reader,
            source_url=target.location,
            copy_url=found.copies.url(BASE),
            catalog=catalog,
            programs=found.programs,
            limit_bytes=found.limit_bytes,
            clock=clock,
            progress=progress,
        )
    except BaseException:
        found.close()
        raise
    return found, (f"measured on {found.described}", *copied.notes), copied.target_s
