"""What all trials do alike, and what one more page costs a write."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from perfwright.agents.database.artifacts import Cost, Observation, Sample, Shape
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.execution import Execution
from perfwright.agents.database.trials import (
    PAGE_MS,
    USUAL_PAGE_MS,
    Fingerprint,
    ReadState,
    Rerun,
    ScratchTrials,
    TrialScale,
    changed,
    grown,
    price_of_a_page,
)
from perfwright.agents.database.whatif import Trial
from perfwright.core import ChangeSpec

CALLS = 10
PAGES = {"small": 10.0, "large": 110.0}
PAGE = 0.004  # milliseconds
FIXED = 0.5  # milliseconds of each write that have nothing to do with pages


class BrokenError(Exception):
    """What a broken statement raises here."""


@dataclass
class FakeReplayer:
    """A table orders: with an index a read does a tenth, and a write touches 5 pages more."""

    indexes: set[str] = field(default_factory=set)

    def time(self, sample: Sample, *, limit_s: float) -> Execution:
        raise NotImplementedError

    def read(self, sample: Sample) -> Execution:
        work = 100.0 if self.indexes else 1_000.0
        return Execution(seconds=work * 1e-5, work=work, rows=1.0, stopped=sample.sql == "hopeless")

    def write(self, sample: Sample, *, limit_s: float, room: tuple[str, ...] = ()) -> Execution:
        if sample.sql == "broken":
            raise BrokenError
        pages = PAGES[sample.sql] + 5.0 * len(self.indexes)
        return Execution(seconds=(FIXED + PAGE * pages) / 1e3, work=pages, rows=1.0, pages=pages)

    def close(self) -> None:
        self.indexes.clear()


class FakeTrials(ScratchTrials[FakeReplayer]):
    scale = TrialScale(
        statement_limit_s=9.0, shape_limit_s=9.0, work_ms=1.0, work_enough=10.0, work_spread=9.0
    )

    def try_out(self, change: ChangeSpec) -> Trial:
        before = self._fingerprint()
        self._make(change.apply, undo=change.revert)
        trial = self._look(before)
        self._make(change.revert, undo=())
        return trial

    @property
    def _failures(self) -> tuple[type[Exception], ...]:
        return (BrokenError,)

    def _make(self, statements: tuple[str, ...], *, undo: tuple[str, ...]) -> None:
        for statement in statements:
            verb, _, name = statement.partition(" ")
            (self._replayer.indexes.add if verb == "create" else self._replayer.indexes.discard)(
                name
            )

    def _fingerprint(self) -> Fingerprint:
        return {("orders", name): ("", 4_096) for name in self._replayer.indexes}

    def _first_run(self, sample: Sample) -> tuple[tuple[str, ...], Execution]:
        return self._plan(sample), self._replayer.read(sample)

    def _plan(self, sample: Sample) -> tuple[str, ...]:
        return tuple(self._replayer.indexes)

    def _run_again(self, state: ReadState) -> Execution:
        return self._replayer.read(state.sample)

    def _saved_ms(self, rerun: Rerun) -> float:
        return rerun.saved_ms


def observed(
    name: str, *, write: bool = False, likeness: float = 1.0, table: str = "orders"
) -> Observation:
    shape = Shape(
        id=name,
        text=name,
        template=name,
        write=write,
        calls=CALLS,
        recorded_ms=None,
        samples=(Sample(sql=name),),
        likeness=likeness,
    )
    return Observation(shape=shape, tables=(table,), cost=Cost(ms=1.0, steps=1.0, rows=1.0))


READ = observed("read")
WRITES = (observed("small", write=True), observed("large", write=True))
INDEX = ChangeSpec(
    kind="sqlite-ddl", subject="i", apply=("create i",), revert=("drop i",), summary="i"
)


def trials(*workload: Observation) -> FakeTrials:
    return FakeTrials(FakeReplayer(), catalog=Catalog(), workload=workload)


def test_pages_are_priced_without_the_fixed_part_of_writes() -> None:
    assert trials(*WRITES).page_ms == pytest.approx(PAGE)


def test_the_fixed_part_of_writes_is_in_the_total_alone() -> None:
    made = trials(READ, *WRITES)
    pages_ms = CALLS * PAGE * sum(PAGES.values())
    assert made.write_ms() == pytest.approx(pages_ms)
    assert made.total_ms() == pytest.approx(CALLS * 10.0 + pages_ms + 2 * CALLS * FIXED)


def test_an_index_is_charged_its_pages_and_credited_the_work_it_saves() -> None:
    trial = trials(READ, *WRITES).try_out(INDEX)
    assert trial.saved == {"read": pytest.approx(CALLS * 9.0)}
    assert trial.write_ms == pytest.approx(2 * CALLS * 5.0 * PAGE)
    assert trial.size_bytes == 4_096
    assert trial.worse == ()


def test_executions_that_cost_less_than_a_sample_are_charged_less() -> None:
    alike = observed("small", write=True, likeness=0.1)
    trial = trials(READ, alike, WRITES[1]).try_out(INDEX)
    assert trial.write_ms == pytest.approx(1.1 * CALLS * 5.0 * PAGE)


def test_what_gets_dearer_is_named() -> None:
    made = trials(READ)
    made.accept(INDEX)
    back = ChangeSpec(
        kind="sqlite-ddl", subject="i", apply=("drop i",), revert=("create i",), summary="no i"
    )
    assert made.try_out(back).worse == ("read",)


def test_what_is_accepted_counts_from_then_on() -> None:
    made = trials(READ, *WRITES)
    before = made.total_ms()
    made.accept(INDEX)
    assert made.total_ms() == pytest.approx(before - CALLS * 9.0 + 2 * CALLS * 5.0 * PAGE)
    made.withdraw(INDEX)
    assert made.total_ms() == pytest.approx(before)


def test_other_tables_are_left_out_of_the_costs_of_one() -> None:
    made = trials(READ, observed("small", write=True, table="log"))
    assert made.table_ms("log") == pytest.approx(CALLS * PAGES["small"] * USUAL_PAGE_MS)
    assert made.table_ms("") == made.total_ms()


def test_a_read_that_never_ended_is_neither_better_nor_worse_when_it_is_stopped_again() -> None:
    assert trials(observed("hopeless")).try_out(INDEX).saved == {"hopeless": 0.0}


def test_a_write_that_fails_is_left_out() -> None:
    assert trials(READ, observed("broken", write=True)).write_ms() == 0.0


def test_a_definition_that_differs_is_a_change_of_its_table() -> None:
    before = {("orders", "i"): ("on a", 10), ("log", "j"): ("on b", 5)}
    after = {("orders", "i"): ("on c", 10), ("log", "j"): ("on b", 7)}
    assert changed(before, after) == {"orders"}


def test_bytes_grow_by_what_is_new_less_what_is_gone() -> None:
    assert grown({("t", "i"): ("", 10)}, {("t", "j"): ("", 25)}) == 15


def test_the_fixed_part_of_a_write_is_no_price_of_its_pages() -> None:
    writes = [(pages, 0.1 + 0.002 * pages) for pages in (5.0, 20.0, 80.0, 300.0)]
    assert price_of_a_page(writes) == pytest.approx(0.002)


def test_one_odd_write_does_not_decide() -> None:
    writes = [(pages, 0.1 + 0.002 * pages) for pages in (5.0, 20.0, 80.0, 300.0, 1_200.0)]
    assert price_of_a_page([*writes, (2_700.0, 60.0)]) == pytest.approx(0.002, rel=0.3)


def test_writes_that_touch_about_the_same_tell_nothing() -> None:
    assert price_of_a_page([(20.0, 0.1), (22.0, 0.9)]) == USUAL_PAGE_MS
    assert price_of_a_page([(0.0, 0.1), (0.0, 0.9)]) == USUAL_PAGE_MS


def test_a_price_stays_within_what_was_ever_seen() -> None:
    assert price_of_a_page([(10.0, 1.0), (100.0, 900.0)]) == PAGE_MS[1]
    assert price_of_a_page([(10.0, 9.0), (100.0, 1.0)]) == PAGE_MS[0]
