"""The bench of one change: two file copies, run in any order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from perfwright.agents.database.artifacts import DatabaseArtifacts, Observation
from perfwright.agents.database.balance import few_writes
from perfwright.agents.database.room import room_for
from perfwright.agents.database.schedule import (
    STATEMENT_CAP_S,
    Item,
    Schedule,
    plan_run,
    spread,
)
from perfwright.agents.database.sqlite.probes.answers import TooSlowError, differs
from perfwright.agents.database.sqlite.probes.arms import TreatedArm, changed_tables, fingerprint
from perfwright.agents.database.sqlite.probes.catalog import object_sizes
from perfwright.agents.database.sqlite.probes.connection import open_scratch
from perfwright.agents.database.sqlite.probes.plans import explain
from perfwright.agents.database.sqlite.probes.replay import Execution, Replayer
from perfwright.core import Arm, Change, Clock, Guardrail, MetricGuard

STEP_TOLERANCE = 1.3
MIN_STEPS = 2_000  # a rise of fewer steps per execution is no matter
MATERIAL_SHARE = 0.005  # of all steps of the workload
CHECK_LIMIT_S = 1.0
CHECK_SHAPE_LIMIT_S = 1.5
COUNT_LIMIT_S = 60.0
COUNT_SAMPLES = 4
SLOW_MS = 100.0  # of such statements one sample is counted
COUNT_LIMIT_STEPS = 2e7  # about a second: a limit in seconds would not count the same each time
_CACHED = 1_000  # statements kept compiled, as programs do
_RARELY = 100_000  # steps between two looks at the clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What both arms are made from."""

    baseline: Path
    treated: Path
    artifacts: DatabaseArtifacts
    foreign_keys: bool
    settings: tuple[str, ...] = ()
    """Statements for the connections of both arms: settings that were kept."""
    treated_settings: tuple[str, ...] = ()
    """Statements for the connections of arm B only."""
    change: Change | None = None
    write_tolerance: float
    whole: bool = False
    """Measure the whole workload, and not only what the change can affect."""


class SqliteBench:
    """Measures the statements that a change can affect, on an arm without and one with it."""

    def __init__(self, setup: Setup, *, clock: Clock) -> None:
        self._setup, self._clock = setup, clock
        self._arm_b = TreatedArm(setup.baseline, setup.treated)
        self._arm_b.begin(setup.change)
        self._replayers: dict[Arm, Replayer] = {}
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
            `reads` and `writes`. `writes` also holds the unaffected writes, as a constant, so
            that its growth is the growth of all writes.
        """
        replayer = self._replayers[arm]
        reads = writes = 0.0
        for _ in range(self._schedule.repeats):
            for item in self._schedule.items:
                seconds = self._execute(replayer, item).seconds * item.weight
                if item.write:
                    writes += seconds
                else:
                    reads += seconds
        repeats = self._schedule.repeats
        return {
            "workload": (reads + writes) / repeats,
            "reads": reads / repeats,
            "writes": writes / repeats + self._other_writes_s,
        }

    def count(self, arm: Arm) -> Mapping[str, float]:
        """Count what does not move with the load: steps of reads, pages of writes, index bytes."""
        if arm not in self._counts:
            self._counts[arm] = self._count(arm)
        return self._counts[arm]

    def executions(self, arm: Arm) -> Iterator[tuple[Item, float]]:
        """Run every statement of the schedule once; yield it with its seconds."""
        for item in self._schedule.items:
            yield item, self._execute(self._replayers[arm], item).seconds

    def check(self) -> Sequence[Guardrail]:
        """Compare the answers of both arms, and the steps of each statement."""
        return (self._check_answers(), self._check_plans())

    def close(self) -> None:
        """Release the arms; idempotent."""
        for replayer in self._replayers.values():
            replayer.close()
        self._replayers.clear()
        self._arm_b.end()

    def _open(self) -> None:
        setup = self._setup
        for arm, path, extra in (
            (Arm.A, setup.baseline, ()),
            (Arm.B, setup.treated, setup.treated_settings),
        ):
            connection = open_scratch(
                path, foreign_keys=setup.foreign_keys, cached_statements=_CACHED
            )
            for statement in (*setup.settings, *extra):
                connection.execute(statement).fetchall()
            self._replayers[arm] = Replayer(connection, path=path, clock=self._clock)

    def _plan(self) -> None:
        """Pick the statements that the change can affect, and leave out those that fail.

        Over the same rows a read with the same plan is the same work, so it is not timed; writes
        to a table whose indexes differ always are.
        """
        workload = [o for o in self._setup.artifacts.workload or () if o.cost is not None]
        touched = self._touched()
        affected = workload
        if touched is not None and not self._setup.whole:
            on_tables = [o for o in workload if touched & set(o.tables)]
            changed = [o for o in on_tables if o.shape.write or self._replanned(o)]
            affected = changed or on_tables or workload
        self._counted = tuple(affected)
        self._affected = tuple(map(self._with_present_cost, self._counted))
        self._schedule = self._workable(plan_run(self._affected, self._setup.artifacts.catalog))
        kept = {o.shape.id for o in self._affected}
        self._other_writes_s = sum(
            o.total_ms / 1e3 for o in workload if o.shape.write and o.shape.id not in kept
        )
        self._counts: dict[Arm, dict[str, float]] = {}
        self._steps: dict[Arm, dict[str, float]] = {}

    def _workable(self, schedule: Schedule) -> Schedule:
        """Leave out executions that fail; one failing statement never stops the others."""
        items = [item for item in schedule.items if self._works(item)]
        return replace(schedule, items=tuple(items))

    def _works(self, item: Item) -> bool:
        try:
            self._execute(self._replayers[Arm.A], item)
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError):
            return False
        return True

    def _replanned(self, observation: Observation) -> bool:
        """Whether the arms plan any sample of a shape differently."""
        a, b = (self._replayers[arm].connection for arm in (Arm.A, Arm.B))
        return any(explain(a, sample) != explain(b, sample) for sample in observation.shape.samples)

    def _with_present_cost(self, observation: Observation) -> Observation:
        """Replace what a read cost at first by what it costs arm A, after all that was kept."""
        if observation.shape.write or observation.cost is None:
            return observation
        sample = spread(observation.shape.samples, 1)[0]
        try:
            run = self._replayers[Arm.A].time(sample, limit_s=STATEMENT_CAP_S)
        except sqlite3.Error:
            return observation
        return replace(observation, cost=replace(observation.cost, ms=run.seconds * 1e3))

    def _touched(self) -> frozenset[str] | None:
        """The tables that differ between the arms; None when the change is not in the schema."""
        before, after = (fingerprint(self._replayers[arm].connection) for arm in (Arm.A, Arm.B))
        return changed_tables(before, after) or None

    def _execute(self, replayer: Replayer, item: Item) -> Execution:
        if item.write:
            return replayer.write(
                item.sample, limit_s=STATEMENT_CAP_S, room=item.room, every=_RARELY
            )
        return replayer.time(item.sample, limit_s=STATEMENT_CAP_S)

    def _count(self, arm: Arm) -> dict[str, float]:
        """Count on a connection of its own: a statement kept compiled carries its steps over."""
        path = self._setup.baseline if arm is Arm.A else self._setup.treated
        connection = open_scratch(path, foreign_keys=self._setup.foreign_keys)
        replayer = Replayer(connection, path=path, clock=self._clock)
        try:
            steps, pages = self._count_work(replayer)
            names = {table.name for table in self._setup.artifacts.catalog.tables}
            sizes = object_sizes(connection)
        finally:
            replayer.close()
        self._steps[arm] = steps
        indexes = [n for n in sizes if n not in names and not n.startswith("sqlite_s")]
        return {
            "read_steps": sum(steps.values()),
            "write_pages": pages,
            "index_bytes": float(sum(sizes[name] for name in indexes)),
        }

    def _count_work(self, replayer: Replayer) -> tuple[dict[str, float], float]:
        """Return steps by read shape and pages of all writes, for one replay."""
        steps: dict[str, float] = {}
        pages = 0.0
        for observation in self._counted:
            shape = observation.shape
            slow = observation.cost is not None and observation.cost.ms > SLOW_MS
            samples = spread(shape.samples, 1 if slow else COUNT_SAMPLES)
            for sample in samples:
                weight = shape.calls / len(samples)
                if shape.write:
                    room = room_for(sample, self._setup.artifacts.catalog)
                    run = replayer.write(sample, limit_s=COUNT_LIMIT_S, room=room)
                    pages += run.pages * weight
                else:
                    run = replayer.read(
                        sample, limit_s=COUNT_LIMIT_S, limit_steps=COUNT_LIMIT_STEPS
                    )
                    steps[shape.id] = steps.get(shape.id, 0.0) + run.steps * weight
        return steps, pages

    def _check_answers(self) -> Guardrail:
        compared = skipped = 0
        a, b = (self._replayers[arm].connection for arm in (Arm.A, Arm.B))
        for observation in self._affected:
            if observation.shape.write:
                continue
            end = self._clock.now() + CHECK_SHAPE_LIMIT_S
            for sample in spread(observation.shape.samples, len(observation.shape.samples)):
                try:
                    problem = differs(
                        a, b, observation=observation, sample=sample, limit_s=CHECK_LIMIT_S
                    )
                except (TooSlowError, sqlite3.Error):
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
        before, after = self._steps[Arm.A], self._steps[Arm.B]
        material = MATERIAL_SHARE * sum(before.values())
        calls = {o.shape.id: o.shape for o in self._affected}
        for shape, steps in after.items():
            rise = steps - before[shape]
            if steps > STEP_TOLERANCE * before[shape] and rise > max(
                material, MIN_STEPS * calls[shape].calls
            ):
                text = calls[shape].text[:120]
                detail = f"{steps / max(before[shape], 1):.1f} times the steps for: {text}"
                return Guardrail(name="plans", passed=False, detail=detail)
        return Guardrail(
            name="plans", passed=True, detail=f"no worse plan among {len(after)} statements"
        )
