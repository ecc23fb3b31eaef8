"""Deletes whose rows are gone, measured on rows that are there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.artifacts import Counters, Sample, Shape
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.postgresql.probes.catalog import read_catalog
from perfwright.agents.database.postgresql.probes.connection import Connection, open_database
from perfwright.agents.database.postgresql.probes.replay import Replayer
from perfwright.agents.database.postgresql.probes.reviving import with_living_rows
from tests.postgresql import new_database

SEEN_PAGES = 40.0  # at least, of a delete with a hundred children


@pytest.fixture(scope="module")
def url(server: PrivateServer) -> Iterator[str]:
    with new_database(
        server,
        "create table parent(id int primary key)",
        "create table child(id int primary key,"
        " parent_id int not null references parent(id) on delete cascade)",
        "create index child_parent on child(parent_id)",
        "insert into parent select i from generate_series(1, 50) i",
        "insert into child select i, i % 50 + 1 from generate_series(1, 5000) i",
        "vacuum analyze",
    ) as made:
        yield made


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with open_database(url) as made:
        yield made


@pytest.fixture
def catalog(connection: Connection) -> Catalog:
    return read_catalog(connection)


def deletes(key: int, *, pages: float | None = None, calls: int = 4) -> Shape:
    statement = f"delete from parent where id = {key}"
    return Shape(
        id="d",
        text="delete from parent where id = ?",
        template=statement,
        write=True,
        calls=calls,
        recorded_ms=None,
        samples=(Sample(sql=statement),),
        counters=None if pages is None else Counters(rows=calls, hit_pages=pages * calls),
    )


def test_other_rows_stand_in_for_those_that_are_gone(
    connection: Connection, catalog: Catalog
) -> None:
    (shape,), notes = with_living_rows((deletes(9_999),), connection, catalog=catalog)
    replayer = Replayer(connection)
    runs = [replayer.write(sample, limit_s=5) for sample in shape.samples]
    assert runs
    assert all(run.rows == 1 and run.pages > SEEN_PAGES for run in runs)
    assert len(notes) == 1


def test_a_row_that_is_there_is_deleted_as_recorded(
    connection: Connection, catalog: Catalog
) -> None:
    recorded = deletes(7, pages=1.0)
    assert with_living_rows((recorded,), connection, catalog=catalog) == ((recorded,), ())


def test_dearer_rows_count_as_the_part_that_the_server_counted(
    connection: Connection, catalog: Catalog
) -> None:
    (plain,), _ = with_living_rows((deletes(9_999),), connection, catalog=catalog)
    replayer = Replayer(connection)
    seen = replayer.write(plain.samples[0], limit_s=5).pages
    recorded = deletes(9_999, pages=seen / 2)
    (shape,), _ = with_living_rows((recorded,), connection, catalog=catalog)
    assert shape.likeness == pytest.approx(0.5, rel=0.1)
    assert shape.weight == pytest.approx(recorded.calls * shape.likeness)


def test_without_counters_each_row_counts_in_full(connection: Connection, catalog: Catalog) -> None:
    (shape,), _ = with_living_rows((deletes(9_999),), connection, catalog=catalog)
    assert shape.likeness == 1.0
