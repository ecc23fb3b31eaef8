"""Tries changes on a scratch copy, by really making them.

Each candidate is built, looked at and dropped: estimates of sizes and gains were off both ways,
by more than ten times.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, median
from typing import ClassVar, Generic, TypeVar

from perfwright.agents.database.artifacts import Observation, Sample
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.execution import Execution, Replayer
from perfwright.agents.database.room import room_for
from perfwright.agents.database.schedule import spread
from perfwright.agents.database.whatif import Trial
from perfwright.core import ChangeSpec

MAX_READS = 6  # samples that are executed
MAX_WRITES = 6
DEARER = 1.1
LOSS = 10.0  # charged for a statement that was stopped
PAGE_MS = (0.0005, 0.01)  # bounds for what touching a page costs a write
USUAL_PAGE_MS = 0.002  # where there is too little to learn it from
APART = 0.5  # two writes tell what a page costs when one touches half as many more

Fingerprint = Mapping[tuple[str, str], tuple[str, int]]
"""What the planner knows, by table and name: a definition, and the bytes of an index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialScale:
    """What one kind of database counts, and how long it may take."""

    statement_limit_s: float
    shape_limit_s: float
    """For the samples of one statement: it is run again for every new plan."""
    work_ms: float
    """A unit of work, where too little was seen to tell."""
    work_enough: float
    """To tell what a unit of a statement takes."""
    work_spread: float
    """What a unit of one statement may cost more or less than one on average."""


@dataclass(slots=True)
class ReadState:
    """One sample of a read, in the state that the copy is in."""

    sample: Sample
    plan: tuple[str, ...]
    run: Execution
    work_ms: float
    weight: float = 0.0


@dataclass(slots=True)
class WriteState:
    """One write: a mean over its samples."""

    weight: float
    samples: tuple[tuple[Sample, tuple[str, ...]], ...]
    """Each with what makes room for it."""
    run: Execution


@dataclass(frozen=True, slots=True)
class Rerun:
    """A read under a new plan."""

    state: ReadState
    plan: tuple[str, ...]
    run: Execution

    @property
    def saved_ms(self) -> float:
        """Milliseconds that one execution saves, by its work."""
        return (self.state.run.work - self.run.work) * self.state.work_ms


ReplayerT = TypeVar("ReplayerT", bound=Replayer)


class ScratchTrials(ABC, Generic[ReplayerT]):
    """The workload on one scratch connection, and what it costs in the state it is in.

    Each kind of database says how it makes a change and takes it back, how statements are
    planned and run, and when the clock overrules their work.
    """

    scale: ClassVar[TrialScale]

    def __init__(
        self, replayer: ReplayerT, *, catalog: Catalog, workload: tuple[Observation, ...]
    ) -> None:
        self._replayer, self._catalog = replayer, catalog
        self._reads: dict[str, list[ReadState]] = {}
        self._writes: dict[str, WriteState] = {}
        self._tables: dict[str, frozenset[str]] = {}
        for observation in (o for o in workload if o.cost is not None):
            self._tables[observation.shape.id] = frozenset(observation.tables)
            if observation.shape.write:
                self._begin_write(observation)
            else:
                self._begin_read(observation)
        self.work_ms = self._calibrate_work()
        self.page_ms = price_of_a_page(self._timed_writes())
        self._unseen_ms = self._look_for_unseen()
        self._fixed_ms = max(0.0, self._taken_ms() - self.write_ms())

    def total_ms(self) -> float:
        """Cost of one replay of the workload."""
        return sum(map(self._shape_ms, self._reads)) + self.write_ms() + self._fixed_ms

    def write_ms(self) -> float:
        """The part that is due to writes, as far as indexes decide it."""
        return sum(self._write_ms(s, s.run) for s in self._writes.values()) + self._unseen_ms

    def table_ms(self, table: str) -> float:
        """The part that is due to statements which touch a table; all of it for no table."""
        if not table:
            return self.total_ms()
        reads = (s for s in self._reads if table in self._tables[s])
        writes = (state for s, state in self._writes.items() if table in self._tables[s])
        seen_ms = sum(map(self._shape_ms, reads)) + sum(self._write_ms(s, s.run) for s in writes)
        return seen_ms + self._unseen_ms

    @abstractmethod
    def try_out(self, change: ChangeSpec) -> Trial | None:
        """Make a change, look, take it back; None when it cannot be made."""

    def accept(self, change: ChangeSpec) -> None:
        """Make a change for good."""
        self._settle(change.apply, undo=change.revert)

    def withdraw(self, change: ChangeSpec) -> None:
        """Take an accepted change back for good."""
        self._settle(change.revert, undo=change.apply)

    @property
    @abstractmethod
    def _failures(self) -> tuple[type[Exception], ...]:
        """What is raised for a statement that fails."""

    @abstractmethod
    def _make(self, statements: tuple[str, ...], *, undo: tuple[str, ...]) -> None:
        """Make a change for good; take it back when it fails."""

    @abstractmethod
    def _fingerprint(self) -> Fingerprint:
        """Look at the indexes and statistics that there are."""

    @abstractmethod
    def _first_run(self, sample: Sample) -> tuple[tuple[str, ...], Execution] | None:
        """Plan and run a read; None when it fails."""

    @abstractmethod
    def _plan(self, sample: Sample) -> tuple[str, ...]:
        """Plan a read, as it can be compared."""

    @abstractmethod
    def _run_again(self, state: ReadState) -> Execution | None:
        """Run a read under a new plan, within reason; None when it fails."""

    @abstractmethod
    def _saved_ms(self, rerun: Rerun) -> float:
        """What one execution saves: its work says it, unless the clock clearly says otherwise."""

    def _timed_writes(self) -> Iterable[tuple[float, float]]:
        """Pages and milliseconds of one execution of each write."""
        return [(s.run.pages, s.run.seconds * 1e3) for s in self._writes.values()]

    def _write_ms(self, state: WriteState, run: Execution) -> float:
        """What all calls of a write cost, as far as indexes decide it, when one is as `run`."""
        return state.weight * run.pages * self.page_ms

    def _taken_ms(self) -> float:
        """What all writes took by the clock."""
        return sum(s.run.seconds * 1e3 * s.weight for s in self._writes.values())

    def _look_for_unseen(self) -> float:
        """What writes cost, with the indexes that there are, that no replay shows."""
        return 0.0

    def _look(self, before: Fingerprint) -> Trial:
        """See what a change did that was made after `before`."""
        after = self._fingerprint()
        touched = self._catalog.with_wholes(changed(before, after))
        saved = {
            shape: sum(self._gain(rerun) * rerun.state.weight for rerun in reruns)
            for shape, reruns in self._rerun_reads(touched)
        }
        write_ms = self._look_for_unseen() - self._unseen_ms
        for state, run in self._rerun_writes(touched):
            write_ms += self._write_ms(state, run) - self._write_ms(state, state.run)
        base_ms = sum(self._shape_ms(shape) for shape, ms in saved.items() if ms)
        return Trial(
            saved=saved,
            write_ms=write_ms,
            size_bytes=grown(before, after),
            worse=tuple(s for s, ms in saved.items() if ms < (1.0 - DEARER) * self._shape_ms(s)),
            base_ms=base_ms + (self.write_ms() if write_ms else 0.0),
        )

    def _gain(self, rerun: Rerun) -> float:
        """Milliseconds that one execution saves."""
        if rerun.run.stopped:
            before = rerun.state.run
            return 0.0 if before.stopped else -LOSS * before.work * rerun.state.work_ms
        return self._saved_ms(rerun)

    def _settle(self, statements: tuple[str, ...], *, undo: tuple[str, ...]) -> None:
        before = self._fingerprint()
        self._make(statements, undo=undo)
        touched = self._catalog.with_wholes(changed(before, self._fingerprint()))
        for _, reruns in self._rerun_reads(touched):
            for rerun in reruns:
                rerun.state.plan, rerun.state.run = rerun.plan, rerun.run
        for state, run in self._rerun_writes(touched):
            state.run = run
        self._unseen_ms = self._look_for_unseen()

    def _shape_ms(self, shape: str) -> float:
        return sum(s.run.work * s.work_ms * s.weight for s in self._reads[shape])

    def _begin_read(self, observation: Observation) -> None:
        states: list[ReadState] = []
        shape = observation.shape
        for sample in spread(shape.samples, MAX_READS):
            found = self._first_run(sample)
            if found is None:
                continue
            states.append(ReadState(sample, *found, work_ms=self.scale.work_ms))
            if sum(s.run.seconds for s in states) > self.scale.shape_limit_s:
                break
        for state in states:
            state.weight = shape.weight / len(states)
        if states:
            self._reads[shape.id] = states

    def _begin_write(self, observation: Observation) -> None:
        shape = observation.shape
        samples = tuple(
            (sample, room_for(sample, self._catalog))
            for sample in spread(shape.samples, MAX_WRITES)
        )
        run = self._run_write(samples)
        if run is not None:
            self._writes[shape.id] = WriteState(shape.weight, samples, run)

    def _calibrate_work(self) -> float:
        """Learn what a unit of work takes: for each statement where it tells, and over all."""
        scale, groups = self.scale, list(self._reads.values())
        runs = [s.run for group in groups for s in group if s.run.work > scale.work_enough]
        work = sum(run.work for run in runs)
        overall = sum(run.seconds for run in runs) * 1e3 / work if work else scale.work_ms
        for group in groups:
            own = sum(s.run.work for s in group)
            seconds = sum(s.run.seconds for s in group)
            price = seconds * 1e3 / own if own > scale.work_enough else overall
            for state in group:
                least, most = overall / scale.work_spread, overall * scale.work_spread
                state.work_ms = min(max(price, least), most)
        return overall

    def _rerun_reads(self, touched: frozenset[str]) -> Iterator[tuple[str, list[Rerun]]]:
        """Run what is planned differently now."""
        for shape, states in self._reads.items():
            reruns = list(self._rerun(states)) if touched & self._tables[shape] else []
            if reruns:
                yield shape, reruns

    def _rerun(self, states: Sequence[ReadState]) -> Iterator[Rerun]:
        for state in states:
            plan = self._plan(state.sample)
            run = self._run_again(state) if plan != state.plan else None
            if run is not None:
                yield Rerun(state, plan, run)

    def _rerun_writes(self, touched: frozenset[str]) -> Iterator[tuple[WriteState, Execution]]:
        for shape, state in self._writes.items():
            run = self._run_write(state.samples) if touched & self._tables[shape] else None
            if run is not None:
                yield state, run

    def _run_write(self, samples: Sequence[tuple[Sample, tuple[str, ...]]]) -> Execution | None:
        """Run a write with all its samples; return a mean of what counts, None when one fails."""
        runs: list[Execution] = []
        limit_s = self.scale.statement_limit_s
        try:
            for sample, room in samples:
                runs.append(self._replayer.write(sample, limit_s=limit_s, room=room))
                if runs[-1].seconds > limit_s / MAX_WRITES:
                    break
        except self._failures:
            return None
        return Execution(
            seconds=fmean(run.charged_s for run in runs),
            work=fmean(run.work for run in runs),
            rows=fmean(run.rows for run in runs),
            pages=fmean(run.pages for run in runs),
        )


def price_of_a_page(timed: Iterable[tuple[float, float]]) -> float:
    """Milliseconds that one more page costs a write: the median slope between two writes.

    Most of a short write is its fixed part, which no index changes: over all, a page seemed four
    times as dear on PostgreSQL as what indexes then really cost, twenty times on SQLite. Source:
    P. K. Sen, JASA 63 (1968).

    Args:
        timed: Pages and milliseconds of one execution of each write.
    """
    slopes = [
        (ms - other_ms) / (pages - other_pages)
        for (pages, ms), (other_pages, other_ms) in combinations(timed, 2)
        if pages != other_pages and abs(pages - other_pages) >= APART * max(pages, other_pages)
    ]
    low, high = PAGE_MS
    return min(max(median(slopes), low), high) if slopes else USUAL_PAGE_MS


def changed(before: Fingerprint, after: Fingerprint) -> frozenset[str]:
    """Return the tables whose indexes or statistics differ."""
    one = {(key, definition) for key, (definition, _) in before.items()}
    other = {(key, definition) for key, (definition, _) in after.items()}
    return frozenset(table for (table, _), _ in one ^ other)


def grown(before: Fingerprint, after: Fingerprint) -> int:
    """Return the bytes of the indexes that are new, less those that are gone."""
    new = sum(size for key, (_, size) in after.items() if key not in before)
    return new - sum(size for key, (_, size) in before.items() if key not in after)
