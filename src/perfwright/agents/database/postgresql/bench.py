"""The bench of one change: two databases from one template, run in any order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from perfwright.agents.database.artifacts import DatabaseArtifacts, Observation, Shape
from perfwright.agents.database.balance import few_writes
from perfwright.agents.database.postgresql.knobs import MEMORY_KNOBS
from perfwright.agents.database.postgresql.probes.answers import TooSlowError, differs
from perfwright.agents.database.postgresql.probes.connection import Connection
from perfwright.agents.database.postgresql.probes.copies import Copies
from perfwright.agents.database.postgresql.probes.observation import executed
from perfwright.agents.database.postgresql.probes.replay import Execution, Replayer
from perfwright.agents.database.room import room_for
from perfwright.agents.database.schedule import (
    STATEMENT_CAP_S,
    Item,
    Schedule,
    plan_run,
    spread,
)
from perfwright.core import Arm, Clock, Guardrail, MetricGuard, format_percent

WORK_TOLERANCE = 1.3
MIN_WORK = 20.0  # a rise of less work per execution is no matter
MATERIAL_SHARE = 0.005  # of all work of the workload
TRIFLE = 0.05  # of the work that other statements save; calls count
CHECK_LIMIT_S = 1.0
CHECK_SHAPE_LIMIT_S = 1.5
COUNT_LIMIT_S = 10.0
COUNT_SAMPLES = 4
PRESSED_SAMPLES = 2
LONGEST_S = 4.0  # of one statement
CAP_FACTOR = 1.5
RUN_MS = 40.0  # wanted length of one run: processor time is steady enough for short ones
SHORT_MS = 4.0  # a write that takes longer fills the processor's caches by itself
PAGES_TO_TIME = (
    2.0  # a write touches pages for part of its time only: 10 % more time are 20 % pages
)
CLEAN_AFTER = 60  # writes; cleaning takes about as long as these
RACES = 3  # of a statement that does more work, to see whether it takes longer as well
SLOWER = 1.05
SLOW_MS = 100.0  # of such statements one sample is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What both arms are made from."""

    copies: Copies
    """Where the arms are, as `a` and `b`."""
    artifacts: DatabaseArtifacts
    settings: tuple[str, ...] = ()
    """Statements for the connections of both arms: settings that were kept."""
    treated_settings: tuple[str, ...] = ()
    """Statements for the connections of arm B only."""
    write_tolerance: float
    whole: bool = False
    """Measure the whole workload, and not only what the change can affect."""


class PostgresBench:
    """Measures the statements that a change can affect, on an arm without and one with it."""

    def __init__(self, setup: Setup, *, clock: Clock) -> None:
        self._setup, self._clock = setup, clock
        self._catalog = setup.artifacts.catalog
        self._replayers: dict[Arm, Replayer] = {}
        self._counts: dict[Arm, dict[str, float]] = {}
        self._work: dict[Arm, dict[str, float]] = {}
        self._present_s: dict[str, float] = {}
        self._rolled_back: dict[Arm, int] = dict.fromkeys(Arm, 0)
        self._cleaned_at: dict[Arm, float] = dict.fromkeys(Arm, 0.0)
        self._cleaning_s: dict[Arm, float] = dict.fromkeys(Arm, 0.0)
        self._written: tuple[str, ...] = ()
        try:
            self._open()
            self._plan()
        except BaseException:
            self.close()
            raise

    @property
    def primary(self) -> str:
        """Reads and writes together decide."""
        return "workload"

    @property
    def guards(self) -> Sequence[MetricGuard]:
        """Writes may get dearer by the tolerance, wherever there are enough to tell."""
        written = any(item.write for item in self._schedule.items)
        if not written or few_writes(self._setup.artifacts):
            return ()
        return (MetricGuard(metric="writes", tolerance=self._setup.write_tolerance),)

    def measure(self, arm: Arm) -> Mapping[str, float]:
        """Run the affected statements once.

        Returns:
            Seconds that one replay of the affected workload takes: `workload`, and its parts
            `reads` and `writes`; processor time of the server where that is all of it, so that
            other programs on the machine hardly matter. `writes` also holds the unaffected
            writes, as a constant, so that its growth is the growth of all writes.
        """
        self._clean(arm)
        replayer, items = self._replayers[arm], self._schedule.items
        reads = writes = 0.0
        for _ in range(self._schedule.repeats):
            for item in items:
                if not item.write:
                    reads += self._charged_s(self._execute(replayer, item)) * item.weight
            # After a read that scans, the processor's caches are empty in one arm only: the writes
            # are run once for that, and then for the clock. Long ones fill them by themselves.
            for counted in (False, True):
                for item in items:
                    if item.write and (counted or item.shape in self._short):
                        run = self._execute(replayer, item)
                        self._rolled_back[arm] += 1
                        writes += self._charged_s(run) * item.weight if counted else 0.0
        repeats = self._schedule.repeats
        return {
            "workload": (reads + writes) / repeats,
            "reads": reads / repeats,
            "writes": writes / repeats + self._other_writes_s,
        }

    def _clean(self, arm: Arm) -> None:
        """Remove, now and then, what rolled-back writes left in the pages.

        A replay inserts the same few keys again and again. Their dead entries filled the leaves
        of a new index within some hundred inserts, which then looked 20 % dearer than they are.
        """
        began = self._clock.now()
        due = began - self._cleaned_at[arm] >= self._cleaning_s[arm]  # half of the time at most
        if self._rolled_back[arm] < CLEAN_AFTER or not due:
            return
        self._rolled_back[arm] = 0
        connection = self._replayers[arm].connection
        for relation in self._written:
            connection.execute(f"VACUUM (INDEX_CLEANUP ON) {relation}")
        self._cleaned_at[arm] = self._clock.now()
        self._cleaning_s[arm] = 2.0 * (self._cleaned_at[arm] - began)  # the other arm cleans, too

    def count(self, arm: Arm) -> Mapping[str, float]:
        """Count what does not move with the load: buffers of reads and writes, index bytes.

        Those of unaffected writes are included, so that growth is the growth of all writes.
        """
        if arm not in self._counts:
            self._counts[arm] = self._count(self._replayers[arm], arm)
        return self._counts[arm]

    def executions(self, arm: Arm) -> Iterator[tuple[Item, float]]:
        """Run every statement of the schedule once; yield it with its seconds."""
        for item in self._schedule.items:
            yield item, self._execute(self._replayers[arm], item).seconds

    def check(self) -> Sequence[Guardrail]:
        """Compare the answers of both arms, and the work of each statement."""
        return (self._check_answers(), self._check_plans(), *self._check_write_pages())

    def close(self) -> None:
        """Release the arms; idempotent."""
        for replayer in self._replayers.values():
            replayer.close()
        self._replayers.clear()

    def _open(self) -> None:
        setup = self._setup
        for arm, name, extra in (
            (Arm.A, "a", ()),
            (Arm.B, "b", setup.treated_settings),
        ):
            connection = setup.copies.open(name, settings=(*setup.settings, *extra))
            self._replayers[arm] = Replayer(connection, clock=self._clock)

    def _plan(self) -> None:
        """Pick the statements that the change can affect, and leave out those that fail.

        Over the same rows a read with the same plan is the same work, so it is not timed; writes
        to a table whose indexes differ always are.
        """
        workload = [o for o in self._setup.artifacts.workload or () if o.cost is not None]
        affected = workload
        if not self._setup.whole:
            touched = self._touched()
            changed = [o for o in workload if self._is_affected(o, touched)]
            affected = changed or [o for o in workload if touched & set(o.tables)] or workload
        self._affected = tuple(map(self._with_present_cost, affected))
        self._schedule = self._workable(plan_run(self._affected, self._catalog, run_ms=RUN_MS))
        self._by_processor = not self._runs_parallel()
        self._short = {
            o.shape.id for o in self._affected if o.cost is not None and o.cost.ms < SHORT_MS
        }
        written = {o.target for o in self._affected if o.shape.write}
        self._written = tuple(
            t.relation for t in self._catalog.tables if t.name in written and not t.partitioned
        )
        kept = {o.shape.id for o in self._affected}
        others = [o for o in workload if o.shape.write and o.shape.id not in kept]
        self._other_writes_s = sum(o.total_ms / 1e3 for o in others)
        self._other_write_pages = sum(o.shape.weight * o.cost.pages for o in others if o.cost)

    def _is_affected(self, observation: Observation, touched: frozenset[str]) -> bool:
        if observation.shape.write and touched & set(observation.tables):
            return True
        if observation.shape.write and not self._setup.treated_settings:
            return False
        return self._replanned(observation) or self._is_pressed(observation)

    def _workable(self, schedule: Schedule) -> Schedule:
        """Leave out executions that fail; one failing statement never stops the others."""
        items = [item for item in schedule.items if self._works(item)]
        return replace(schedule, items=tuple(items))

    def _works(self, item: Item) -> bool:
        import psycopg

        try:
            for arm in Arm:  # both, so that each has the pages in memory
                self._execute(self._replayers[arm], item)
        except psycopg.Error:
            return False
        return True

    def _replanned(self, observation: Observation) -> bool:
        """Whether the arms plan any sample of a shape differently."""
        a, b = (self._replayers[arm] for arm in (Arm.A, Arm.B))
        return any(
            a.plan(sample).signature != b.plan(sample).signature
            for sample in observation.shape.samples
        )

    def _is_pressed(self, observation: Observation) -> bool:
        """Whether a read lacks memory that the settings of arm B give it, with the same plan."""
        memory = any(name in text for name in MEMORY_KNOBS for text in self._setup.treated_settings)
        if observation.shape.write or not memory:
            return False
        for sample in spread(observation.shape.samples, PRESSED_SAMPLES):
            plan, _ = self._replayers[Arm.A].explain(sample, limit_s=CHECK_LIMIT_S)
            if plan is None or plan.temp_pages or plan.lossy_pages:
                return True
        return False

    def _with_present_cost(self, observation: Observation) -> Observation:
        """Replace what a read cost at first by what it costs arm A, after all that was kept."""
        if observation.shape.write or observation.cost is None:
            return observation
        sample = spread(observation.shape.samples, 1)[0]
        run = self._replayers[Arm.A].time(sample, limit_s=LONGEST_S)
        self._present_s[observation.shape.id] = run.seconds
        return replace(observation, cost=replace(observation.cost, ms=run.seconds * 1e3))

    def _touched(self) -> frozenset[str]:
        """The tables whose indexes or extended statistics differ between the arms."""
        before, after = (_structure(self._replayers[arm].connection) for arm in (Arm.A, Arm.B))
        names = {(t.schema, t.bare_name or t.name): t.name for t in self._catalog.tables}
        return self._catalog.with_wholes(names.get(place, place[1]) for place, _ in before ^ after)

    def _execute(self, replayer: Replayer, item: Item) -> Execution:
        if item.write:
            return replayer.write(item.sample, limit_s=STATEMENT_CAP_S, room=item.room, count=False)
        return replayer.time(item.sample, limit_s=self._cap_s(item.shape))

    def _runs_parallel(self) -> bool:
        """Whether a plan asks for workers, whose processor time is not that of our process."""
        return any(
            replayer.plan(item.sample).workers
            for item in self._schedule.items
            if not item.write
            for replayer in self._replayers.values()
        )

    def _charged_s(self, run: Execution) -> float:
        return run.charged_s if self._by_processor else run.seconds

    def _cap_s(self, shape: str) -> float:
        """What is charged for a statement that would take longer: half as much again as now."""
        now_s = self._present_s.get(shape, 0.0)
        return min(max(STATEMENT_CAP_S, CAP_FACTOR * now_s), LONGEST_S)

    def _count(self, replayer: Replayer, arm: Arm) -> dict[str, float]:
        work: dict[str, float] = {}
        read_pages = write_pages = 0.0
        for observation in self._affected:
            shape = observation.shape
            slow = observation.cost is not None and observation.cost.ms > SLOW_MS
            samples = spread(shape.samples, 1 if slow else COUNT_SAMPLES)
            for sample in samples:
                weight = shape.weight / len(samples)
                if shape.write:
                    room = room_for(sample, self._catalog)
                    run = replayer.write(sample, limit_s=COUNT_LIMIT_S, room=room)
                    write_pages += run.pages * weight
                else:
                    plan, seconds = replayer.explain(sample, limit_s=COUNT_LIMIT_S)
                    run = executed(plan, seconds=seconds)
                    read_pages += run.pages * weight
                    work[shape.id] = work.get(shape.id, 0.0) + run.work * weight
        self._work[arm] = work
        row: Any = replayer.connection.execute(_INDEX_BYTES).fetchone()
        return {
            "read_pages": read_pages,
            "write_pages": write_pages + self._other_write_pages,
            "index_bytes": float(row[0]),
        }

    def _check_answers(self) -> Guardrail:
        compared = skipped = 0
        a, b = (self._replayers[arm] for arm in (Arm.A, Arm.B))
        for observation in self._affected:
            if observation.shape.write:
                continue
            end = self._clock.now() + CHECK_SHAPE_LIMIT_S
            for sample in observation.shape.samples:
                try:
                    problem = differs(
                        a, b, observation=observation, sample=sample, limit_s=CHECK_LIMIT_S
                    )
                except TooSlowError:
                    skipped += 1
                    break
                if problem is not None:
                    return Guardrail(name="answers", passed=False, detail=problem)
                compared += 1
                if self._clock.now() > end:
                    break
        detail = f"{compared} answers are the same"
        if skipped:
            detail += f"; {skipped} statements took too long to be compared"
        return Guardrail(name="answers", passed=True, detail=detail)

    def _check_plans(self) -> Guardrail:
        for arm in Arm:
            self.count(arm)
        before, after = self._work[Arm.A], self._work[Arm.B]
        fallen = sum(max(before[shape] - work, 0.0) for shape, work in after.items())
        material = max(MATERIAL_SHARE * sum(before.values()), TRIFLE * fallen)
        shapes = {o.shape.id: o.shape for o in self._affected}
        trifles = 0
        for identifier, work in after.items():
            shape, rise = shapes[identifier], work - before[identifier]
            if work <= WORK_TOLERANCE * before[identifier] or rise <= MIN_WORK * shape.calls:
                continue
            if rise > material and self._is_slower(shape):
                ratio = work / max(before[identifier], 1.0)
                detail = f"{ratio:.1f} times the work for: {shape.text[:120]}"
                return Guardrail(name="plans", passed=False, detail=detail)
            trifles += 1
        detail = f"no worse plan that matters among {len(after)} statements"
        if trifles:
            detail += f"; {trifles} do more work, for little time or next to what others save"
        return Guardrail(name="plans", passed=True, detail=detail)

    def _check_write_pages(self) -> Iterator[Guardrail]:
        """Count the buffers of all writes with and without the change: exact at every load."""
        before, after = (self.count(arm)["write_pages"] for arm in Arm)
        tolerance = PAGES_TO_TIME * max(self._setup.write_tolerance, 0.0)
        if before and after and before != after and not few_writes(self._setup.artifacts):
            ratio = after / before
            yield Guardrail(
                name="write pages",
                passed=ratio <= 1.0 + tolerance,
                detail=f"buffers of all writes {before:,.0f} -> {after:,.0f} "
                f"({format_percent(ratio - 1.0, signed=True)}), "
                f"allowed {format_percent(tolerance, signed=True)}",
                tolerance=tolerance,
            )

    def _is_slower(self, shape: Shape) -> bool:
        """Whether the clock, too, says that a statement got dearer with the change."""
        (sample,) = spread(shape.samples, 1)
        best: dict[Arm, float] = dict.fromkeys(Arm, math.inf)
        for _ in range(RACES):
            for arm in Arm:
                run = self._replayers[arm].time(sample, limit_s=COUNT_LIMIT_S)
                best[arm] = min(best[arm], run.seconds)
        return best[Arm.B] > SLOWER * best[Arm.A]


_STRUCTURE = """
SELECT n.nspname, t.relname, pg_get_indexdef(x.indexrelid)
  FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
 WHERE n.nspname NOT LIKE 'pg\\_%'
 UNION ALL
SELECT n.nspname, t.relname, pg_get_statisticsobjdef(s.oid)
  FROM pg_statistic_ext s JOIN pg_class t ON t.oid = s.stxrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
"""
_INDEX_BYTES = """
SELECT coalesce(sum(pg_relation_size(i.oid)), 0) FROM pg_class i
  JOIN pg_namespace n ON n.oid = i.relnamespace
 WHERE i.relkind = 'i' AND n.nspname NOT LIKE 'pg\\_%'
"""


def _structure(connection: Connection) -> set[tuple[tuple[str, str], str]]:
    """What indexes and extended statistics each table has."""
    rows = connection.execute(_STRUCTURE).fetchall()
    return {((schema, table), definition) for schema, table, definition in rows}
