"""What the target's own plans tell, where no copy can be made: nothing is executed."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.access import analyse
from perfwright.agents.database.artifacts import Cost, Observation, Sample, Shape
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.postgresql.probes.connection import Connection
from perfwright.agents.database.postgresql.probes.generic import explain_generic
from perfwright.agents.database.postgresql.probes.observation import literal_samples
from perfwright.agents.database.postgresql.probes.plans import Plan, read_plan
from perfwright.agents.database.postgresql.probes.replay import Replayer, UnsafeStatementError
from perfwright.agents.database.postgresql.workload import ordered
from perfwright.core import Progress


def plan_only(
    shapes: tuple[Shape, ...], connection: Connection, *, catalog: Catalog, progress: Progress
) -> tuple[Observation, ...]:
    """Plan each shape on the target; its cost is what was recorded, or what the planner thinks.

    Args:
        shapes: The workload.
        connection: The target, read-only.
        catalog: Its schema.
        progress: Told about each statement.
    """
    replayer = Replayer(connection)
    found = []
    for number, shape in enumerate(ordered(shapes), start=1):
        progress(f"planning statement {number} of {len(shapes)}")
        analysis = analyse(shape, catalog)
        plan = _plan(shape, replayer, major=catalog.major)
        tables = {access.table for access in analysis.accesses}
        found.append(
            Observation(
                shape=replace(shape, samples=()),
                accesses=analysis.accesses,
                tables=tuple(sorted(tables | ({analysis.target} if analysis.target else set()))),
                target=analysis.target,
                plan=plan.steps if plan else (),
                cost=_cost(shape, plan),
                problem=analysis.problem,
                ordered=analysis.ordered,
            )
        )
    return tuple(found)


def _plan(shape: Shape, replayer: Replayer, *, major: int) -> Plan | None:
    import psycopg

    samples: tuple[Sample, ...] = tuple(literal_samples(shape.samples[:1], replayer.connection))
    try:
        with replayer.connection.transaction(force_rollback=True):
            if samples:
                return replayer.plan(samples[0])
            document = explain_generic(replayer.connection, shape.template, major=major)
            return read_plan(document)
    except (psycopg.Error, UnsafeStatementError):
        return None


def _cost(shape: Shape, plan: Plan | None) -> Cost | None:
    """What one execution costs, as far as it is known without running it."""
    if plan is None:
        return None
    pages = plan.planned_cost  # a unit is a page read in order
    if shape.counters is not None and shape.calls:
        pages = (shape.counters.hit_pages + shape.counters.read_pages) / shape.calls
    rows = shape.counters.rows / shape.calls if shape.counters and shape.calls else 0.0
    ms = (shape.recorded_ms or 0.0) / max(shape.calls, 1)
    return Cost(ms=ms, steps=max(pages, plan.planned_cost), rows=rows, pages=pages)
