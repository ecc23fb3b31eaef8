"""The bench of a change of a PostgreSQL database: two databases made from one template."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perfwright.agents.database.artifacts import Observation, Sample, Shape
from perfwright.agents.database.balance import few_writes
from perfwright.agents.database.bench import (
    CHECK_LIMIT_S,
    BenchScale,
    BenchSetup,
    Counts,
    PairBench,
)
from perfwright.agents.database.execution import Execution
from perfwright.agents.database.postgresql.knobs import MEMORY_KNOBS
from perfwright.agents.database.postgresql.probes.answers import differs
from perfwright.agents.database.postgresql.probes.connection import Connection
from perfwright.agents.database.postgresql.probes.copies import Copies
from perfwright.agents.database.postgresql.probes.observation import executed
from perfwright.agents.database.postgresql.probes.replay import Replayer
from perfwright.agents.database.schedule import STATEMENT_CAP_S, Item, spread
from perfwright.core import Arm, Clock, Guardrail, format_percent

PRESSED_SAMPLES = 2
CAP_FACTOR = 1.5
PAGES_TO_TIME = (
    2.0  # a write touches pages for part of its time only: 10 % more time are 20 % pages
)
CLEAN_AFTER = 60  # writes; cleaning takes about as long as these
RACES = 3  # of a statement that does more work, to see whether it takes longer as well
SLOWER = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup(BenchSetup):
    """What both arms are made from."""

    copies: Copies
    """Where the arms are, as `a` and `b`."""


class PostgresBench(PairBench[Setup, Replayer]):
    """Two databases, the second with the change."""

    scale = BenchScale(
        unit="work",
        small=20.0,
        trifle=0.05,
        count_limit_s=10.0,
        longest_s=4.0,
        run_ms=40.0,  # processor time is steady enough for short runs
    )

    def __init__(self, setup: Setup, *, clock: Clock) -> None:
        super().__init__(setup, clock=clock)
        self._rolled_back: dict[Arm, int] = dict.fromkeys(Arm, 0)
        self._cleaned_at: dict[Arm, float] = dict.fromkeys(Arm, 0.0)
        self._cleaning_s: dict[Arm, float] = dict.fromkeys(Arm, 0.0)

    def measure(self, arm: Arm) -> Mapping[str, float]:
        """Run the affected statements once, on clean pages; see `PairBench.measure`."""
        self._clean(arm)
        return super().measure(arm)

    def check(self) -> Sequence[Guardrail]:
        """Compare answers and work, and the buffers of all writes."""
        return (*super().check(), *self._check_write_pages())

    def _seconds(self, arm: Arm, items: Sequence[Item]) -> float:
        self._rolled_back[arm] += sum(item.write for item in items)
        return super()._seconds(arm, items)

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

    @property
    def _failures(self) -> tuple[type[Exception], ...]:
        import psycopg

        return (psycopg.Error,)

    def _open(self, arm: Arm) -> Replayer:
        setup = self._setup
        extra = setup.treated_settings if arm is Arm.B else ()
        connection = setup.copies.open(arm.value, settings=(*setup.settings, *extra))
        return Replayer(connection, clock=self._clock)

    def _plan(self) -> None:
        super()._plan()
        self._by_processor = not self._runs_parallel()
        written = {o.target for o in self._affected if o.shape.write}
        self._written = tuple(
            t.relation for t in self._catalog.tables if t.name in written and not t.partitioned
        )

    def _runs_parallel(self) -> bool:
        """Whether a plan asks for workers, whose processor time is not that of our process."""
        return any(
            replayer.plan(item.sample).workers
            for item in self._reads
            for replayer in self._replayers.values()
        )

    def _charged_s(self, run: Execution) -> float:
        return run.charged_s if self._by_processor else run.seconds

    def _touched(self) -> frozenset[str]:
        """The tables whose indexes or extended statistics differ between the arms."""
        before, after = (_structure(self._replayers[arm].connection) for arm in Arm)
        names = {(t.schema, t.bare_name or t.name): t.name for t in self._catalog.tables}
        return self._catalog.with_wholes(names.get(place, place[1]) for place, _ in before ^ after)

    def _is_affected(self, observation: Observation, touched: frozenset[str]) -> bool:
        if observation.shape.write and touched & set(observation.tables):
            return True
        if observation.shape.write and not self._setup.treated_settings:
            return False
        return self._replanned(observation) or self._is_pressed(observation)

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

    def _plan_of(self, replayer: Replayer, sample: Sample) -> tuple[str, ...]:
        return replayer.plan(sample).signature

    def _execute(self, replayer: Replayer, item: Item) -> Execution:
        if item.write:
            return replayer.write(item.sample, limit_s=STATEMENT_CAP_S, room=item.room, count=False)
        return replayer.time(item.sample, limit_s=self._cap_s(item.shape))

    def _cap_s(self, shape: str) -> float:
        """What is charged for a statement that would take longer: half as much again as now."""
        now_s = self._present_s.get(shape, 0.0)
        return min(max(STATEMENT_CAP_S, CAP_FACTOR * now_s), self.scale.longest_s)

    def _count(self, arm: Arm) -> Counts:
        replayer = self._replayers[arm]
        tally = self._tally(replayer, self._affected)
        row: Any = replayer.connection.execute(_INDEX_BYTES).fetchone()
        metrics = {
            "read_pages": tally.read_pages,
            "write_pages": tally.write_pages,
            "index_bytes": float(row[0]),
        }
        return Counts(tally.work, metrics)

    def _count_read(self, replayer: Replayer, sample: Sample) -> Execution:
        plan, seconds = replayer.explain(sample, limit_s=self.scale.count_limit_s)
        return executed(plan, seconds=seconds)

    def _differs(self, observation: Observation, sample: Sample) -> str | None:
        a, b = (self._replayers[arm] for arm in Arm)
        return differs(a, b, observation=observation, sample=sample, limit_s=CHECK_LIMIT_S)

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
                run = self._replayers[arm].time(sample, limit_s=self.scale.count_limit_s)
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
