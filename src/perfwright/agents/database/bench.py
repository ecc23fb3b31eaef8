"""The bench of one change: two equal databases, one of them changed, run in any order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Generic, TypeVar

from perfwright.agents.database.answers import TooSlowError
from perfwright.agents.database.artifacts import DatabaseArtifacts, Observation, Sample, Shape
from perfwright.agents.database.balance import few_writes
from perfwright.agents.database.execution import Execution, Replayer
from perfwright.agents.database.room import room_for
from perfwright.agents.database.schedule import Item, Schedule, plan_run, spread
from perfwright.core import Arm, Clock, Guardrail, MetricGuard

WORK_TOLERANCE = 1.3
MATERIAL_SHARE = 0.005  # of all work of the workload
CHECK_LIMIT_S = 1.0
CHECK_SHAPE_LIMIT_S = 1.5
COUNT_SAMPLES = 4
SLOW_MS = 100.0  # of such statements one sample is counted
SHORT_MS = 4.0  # a write that takes longer fills the processor's caches by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSetup:
    """What the arms of every bench have in common."""

    artifacts: DatabaseArtifacts
    settings: tuple[str, ...] = ()
    """Statements for the connections of both arms: settings that were kept."""
    treated_settings: tuple[str, ...] = ()
    """Statements for the connections of arm B only."""
    write_tolerance: float
    whole: bool = False
    """Measure the whole workload, and not only what the change can affect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchScale:
    """What one kind of database counts, and what of it matters."""

    unit: str
    """Of the work, as reports call it."""
    small: float
    """A rise of less work per execution is no matter."""
    trifle: float = 0.0
    """Of the work that other statements save: a rise of less is no matter either. Calls count."""
    count_limit_s: float
    """Of one statement whose work is counted."""
    longest_s: float
    """Of one statement that is timed."""
    run_ms: float
    """Wanted length of one run."""


@dataclass(slots=True)
class Tally:
    """The work of one replay of the affected workload."""

    work: dict[str, float] = field(default_factory=dict)
    """By read shape."""
    read_pages: float = 0.0
    write_pages: float = 0.0
    """Of all writes, so that its growth is the growth of all writes."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What does not move with the load."""

    work: Mapping[str, float]
    metrics: Mapping[str, float]


SetupT = TypeVar("SetupT", bound=BenchSetup)
ReplayerT = TypeVar("ReplayerT", bound=Replayer)


class PairBench(ABC, Generic[SetupT, ReplayerT]):
    """Measures the statements that a change can affect, on an arm without and one with it.

    Each kind of database says how its arms are opened, and how its statements are planned,
    executed, counted and compared.
    """

    scale: ClassVar[BenchScale]

    def __init__(self, setup: SetupT, *, clock: Clock) -> None:
        self._setup, self._clock = setup, clock
        self._catalog = setup.artifacts.catalog
        self._replayers: dict[Arm, ReplayerT] = {}
        self._counts: dict[Arm, Counts] = {}
        self._present_s: dict[str, float] = {}
        try:
            for arm in Arm:
                self._replayers[arm] = self._open(arm)
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
        if not self._writes or few_writes(self._setup.artifacts):
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
        repeats = self._schedule.repeats
        reads = writes = 0.0
        for _ in range(repeats):
            reads += self._seconds(arm, self._reads)
            # After a read that scans, the processor's caches are empty in one arm only: the writes
            # are run once for that, and then for the clock. Long ones fill them by themselves.
            self._seconds(arm, self._short_writes)
            writes += self._seconds(arm, self._writes)
        return {
            "workload": (reads + writes) / repeats,
            "reads": reads / repeats,
            "writes": writes / repeats + self._other_writes_s,
        }

    def count(self, arm: Arm) -> Mapping[str, float]:
        """Count what does not move with the load: work of reads, pages of writes, index bytes."""
        return self._counted(arm).metrics

    def executions(self, arm: Arm) -> Iterator[tuple[Item, float]]:
        """Run every statement of the schedule once; yield it with its seconds."""
        for item in self._schedule.items:
            yield item, self._execute(self._replayers[arm], item).seconds

    def check(self) -> Sequence[Guardrail]:
        """Compare the answers of both arms, and the work of each statement."""
        return (self._check_answers(), self._check_plans())

    def close(self) -> None:
        """Release the arms; idempotent."""
        for replayer in self._replayers.values():
            replayer.close()
        self._replayers.clear()

    @property
    @abstractmethod
    def _failures(self) -> tuple[type[Exception], ...]:
        """What is raised for a statement that fails."""

    @abstractmethod
    def _open(self, arm: Arm) -> ReplayerT:
        """Connect to an arm."""

    @abstractmethod
    def _touched(self) -> frozenset[str]:
        """The tables whose indexes or statistics differ between the arms."""

    @abstractmethod
    def _is_affected(self, observation: Observation, touched: frozenset[str]) -> bool:
        """Whether a change of some tables can make a statement faster or slower."""

    @abstractmethod
    def _plan_of(self, replayer: ReplayerT, sample: Sample) -> tuple[object, ...]:
        """How a statement is carried out, to be compared with how it is in the other arm."""

    @abstractmethod
    def _execute(self, replayer: ReplayerT, item: Item) -> Execution:
        """Run a statement for the clock."""

    @abstractmethod
    def _count(self, arm: Arm) -> Counts:
        """Count the work of an arm."""

    @abstractmethod
    def _count_read(self, replayer: ReplayerT, sample: Sample) -> Execution:
        """Run a statement that reads, counting its work."""

    @abstractmethod
    def _differs(self, observation: Observation, sample: Sample) -> str | None:
        """Say how the arms answer a sample differently; None when they do not.

        Raises:
            TooSlowError: If an answer is unknown.
        """

    def _is_slower(self, shape: Shape) -> bool:
        """Whether the clock may contradict: what does more work is slower, unless it says no."""
        return True

    def _plan(self) -> None:
        """Pick the statements that the change can affect, and leave out those that fail.

        Over the same rows a read with the same plan is the same work, so it is not timed; writes
        to a table whose indexes differ always are.
        """
        workload = [o for o in self._setup.artifacts.workload or () if o.cost is not None]
        self._picked = tuple(workload if self._setup.whole else self._changed(workload))
        self._affected = tuple(map(self._with_present_cost, self._picked))
        run = plan_run(self._affected, self._catalog, run_ms=self.scale.run_ms)
        self._schedule = self._workable(run)
        self._reads = [item for item in self._schedule.items if not item.write]
        self._writes = [item for item in self._schedule.items if item.write]
        short = {o.shape.id for o in self._affected if o.cost and o.cost.ms < SHORT_MS}
        self._short_writes = [item for item in self._writes if item.shape in short]
        picked = {o.shape.id for o in self._picked}
        others = [o for o in workload if o.shape.write and o.shape.id not in picked]
        self._other_writes_s = sum(o.total_ms / 1e3 for o in others)
        self._other_write_pages = sum(o.shape.weight * o.cost.pages for o in others if o.cost)

    def _changed(self, workload: list[Observation]) -> list[Observation]:
        """What the change affects; all on its tables, or all there is, when nothing shows it."""
        touched = self._touched()
        changed = [o for o in workload if self._is_affected(o, touched)]
        return changed or [o for o in workload if touched & set(o.tables)] or workload

    def _workable(self, schedule: Schedule) -> Schedule:
        """Leave out executions that fail; one failing statement never stops the others."""
        return replace(schedule, items=tuple(filter(self._works, schedule.items)))

    def _works(self, item: Item) -> bool:
        try:
            for arm in Arm:  # both, so that each has the pages in memory
                self._execute(self._replayers[arm], item)
        except self._failures:
            return False
        return True

    def _replanned(self, observation: Observation) -> bool:
        """Whether the arms plan any sample of a shape differently."""
        a, b = (self._replayers[arm] for arm in Arm)
        return any(self._plan_of(a, s) != self._plan_of(b, s) for s in observation.shape.samples)

    def _with_present_cost(self, observation: Observation) -> Observation:
        """Replace what a read cost at first by what it costs arm A, after all that was kept."""
        if observation.shape.write or observation.cost is None:
            return observation
        (sample,) = spread(observation.shape.samples, 1)
        run = self._replayers[Arm.A].time(sample, limit_s=self.scale.longest_s)
        self._present_s[observation.shape.id] = run.seconds
        return replace(observation, cost=replace(observation.cost, ms=run.seconds * 1e3))

    def _seconds(self, arm: Arm, items: Sequence[Item]) -> float:
        """Run some statements; return the seconds of all executions that they stand for."""
        replayer = self._replayers[arm]
        return sum(self._charged_s(self._execute(replayer, item)) * item.weight for item in items)

    def _charged_s(self, run: Execution) -> float:
        """What an execution counts as."""
        return run.charged_s

    def _counted(self, arm: Arm) -> Counts:
        if arm not in self._counts:
            self._counts[arm] = self._count(arm)
        return self._counts[arm]

    def _tally(self, replayer: ReplayerT, observations: Sequence[Observation]) -> Tally:
        """Count the work of some shapes; that of slow ones on one sample."""
        tally = Tally(write_pages=self._other_write_pages)
        for observation in observations:
            shape = observation.shape
            slow = observation.cost is not None and observation.cost.ms > SLOW_MS
            samples = spread(shape.samples, 1 if slow else COUNT_SAMPLES)
            for sample in samples:
                weight = shape.weight / len(samples)
                if shape.write:
                    tally.write_pages += self._count_write(replayer, sample).pages * weight
                else:
                    run = self._count_read(replayer, sample)
                    tally.read_pages += run.pages * weight
                    tally.work[shape.id] = tally.work.get(shape.id, 0.0) + run.work * weight
        return tally

    def _count_write(self, replayer: ReplayerT, sample: Sample) -> Execution:
        room = room_for(sample, self._catalog)
        return replayer.write(sample, limit_s=self.scale.count_limit_s, room=room)

    def _check_answers(self) -> Guardrail:
        compared = skipped = 0
        for observation in self._affected:
            if observation.shape.write:
                continue
            try:
                for difference in self._differences(observation):
                    if difference is not None:
                        return Guardrail(name="answers", passed=False, detail=difference)
                    compared += 1
            except TooSlowError:
                skipped += 1
        detail = f"{compared} answers are the same"
        if skipped:
            detail += f"; {skipped} statements took too long to be compared"
        return Guardrail(name="answers", passed=True, detail=detail)

    def _differences(self, observation: Observation) -> Iterator[str | None]:
        """Compare sample after sample, for as long as there is time."""
        end = self._clock.now() + CHECK_SHAPE_LIMIT_S
        for sample in observation.shape.samples:
            yield self._differs(observation, sample)
            if self._clock.now() > end:
                return

    def _check_plans(self) -> Guardrail:
        before, after = (self._counted(arm).work for arm in Arm)
        fallen = sum(max(before[shape] - work, 0.0) for shape, work in after.items())
        material = max(MATERIAL_SHARE * sum(before.values()), self.scale.trifle * fallen)
        trifles = 0
        for shape in self._dearer(before, after):
            if after[shape.id] - before[shape.id] > material and self._is_slower(shape):
                ratio = after[shape.id] / max(before[shape.id], 1.0)
                detail = f"{ratio:.1f} times the {self.scale.unit} for: {shape.text[:120]}"
                return Guardrail(name="plans", passed=False, detail=detail)
            trifles += 1
        detail = f"no worse plan that matters among {len(after)} statements"
        if trifles:
            detail += f"; {trifles} do more work, for little time or next to what others save"
        return Guardrail(name="plans", passed=True, detail=detail)

    def _dearer(self, before: Mapping[str, float], after: Mapping[str, float]) -> Iterator[Shape]:
        """The reads that do clearly more work."""
        for shape in (o.shape for o in self._affected if o.shape.id in after):
            was, work = before[shape.id], after[shape.id]
            if work > WORK_TOLERANCE * was and work - was > self.scale.small * shape.calls:
                yield shape
