"""Changes tried on a copy of an SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perfwright.agents.database.artifacts import Cost, Observation, Sample, Shape
from perfwright.agents.database.sqlite.probes.catalog import read_catalog
from perfwright.agents.database.sqlite.probes.connection import open_scratch
from perfwright.agents.database.sqlite.probes.replay import Replayer
from perfwright.agents.database.sqlite.probes.trials import SqliteTrials
from perfwright.agents.database.trials import USUAL_PAGE_MS
from perfwright.core import ChangeSpec
from tests.agents.database.sqlite_databases import make_shop

CALLS = 50
READ = "select note from orders where customer_id = 7"
INSERT = "insert into orders values (90001, 7, 'new', '2026-01-01', 1, 'x')"
SCAN = "delete from orders where note = 'nothing'"


@pytest.fixture
def replayer(tmp_path: Path) -> Iterator[Replayer]:
    path = make_shop(tmp_path / "shop.db")
    opened = Replayer(open_scratch(path, foreign_keys=False), path=path)
    yield opened
    opened.close()


def observed(sql: str, *, table: str = "orders", recorded_ms: float | None = None) -> Observation:
    shape = Shape(
        id=sql,
        text=sql,
        template=sql,
        write=not sql.startswith("select"),
        calls=CALLS,
        recorded_ms=recorded_ms,
        samples=(Sample(sql=sql),),
    )
    cost = Cost(ms=0.1, steps=100.0, rows=1.0)
    return Observation(shape=shape, tables=(table,), target=table, cost=cost)


def trials(replayer: Replayer, *workload: Observation) -> SqliteTrials:
    catalog = read_catalog(replayer.connection)
    return SqliteTrials(replayer, catalog=catalog, workload=workload)


def making(name: str, on: str) -> ChangeSpec:
    return ChangeSpec(
        kind="sqlite-ddl",
        subject=name,
        apply=(f"create index {name} on {on}",),
        revert=(f"drop index if exists {name}",),
        summary=name,
    )


def objects(replayer: Replayer) -> list[tuple[str]]:
    return replayer.connection.execute("select name from sqlite_master").fetchall()


def test_an_index_saves_steps_and_costs_a_page_of_each_insert(replayer: Replayer) -> None:
    made = trials(replayer, observed(READ), observed(INSERT))
    trial = made.try_out(making("i", "orders(customer_id)"))
    assert trial is not None
    assert trial.saved[READ] > 0.8 * trial.base_ms
    assert trial.write_ms >= CALLS * made.page_ms
    assert trial.size_bytes > 0


def test_a_change_that_was_tried_is_gone(replayer: Replayer) -> None:
    made = trials(replayer, observed(READ))
    before, total_ms = objects(replayer), made.total_ms()
    assert made.try_out(making("i", "orders(customer_id)")) is not None
    assert (objects(replayer), made.total_ms()) == (before, total_ms)


def test_a_change_that_sqlite_refuses_is_none(replayer: Replayer) -> None:
    assert trials(replayer, observed(READ)).try_out(making("i", "nosuch(x)")) is None


def test_an_accepted_index_counts_until_it_is_withdrawn(replayer: Replayer) -> None:
    made, change = trials(replayer, observed(READ)), making("i", "orders(customer_id)")
    before = made.total_ms()
    made.accept(change)
    assert made.total_ms() < before / 5
    made.withdraw(change)
    assert made.total_ms() == pytest.approx(before)


def test_steps_of_a_scanning_write_are_no_price_of_its_pages(replayer: Replayer) -> None:
    assert trials(replayer, observed(INSERT), observed(SCAN)).page_ms == USUAL_PAGE_MS


def test_an_index_saves_a_delete_its_scan(replayer: Replayer) -> None:
    trial = trials(replayer, observed(SCAN)).try_out(making("i", "orders(note)"))
    assert trial is not None
    assert trial.write_ms < -CALLS * USUAL_PAGE_MS


def test_what_writes_took_is_in_the_total_and_not_in_the_price_of_indexes(
    replayer: Replayer,
) -> None:
    made = trials(replayer, observed(INSERT, recorded_ms=1_000.0))
    assert made.total_ms() == pytest.approx(1_000.0)
    assert 0.0 < made.write_ms() < 50.0
