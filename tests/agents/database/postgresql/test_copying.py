"""A live database copied into an empty one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.catalog import Catalog, Table
from perfwright.agents.database.postgresql.probes.catalog import read_catalog
from perfwright.agents.database.postgresql.probes.connection import open_database
from perfwright.agents.database.postgresql.probes.copying import (
    SAMPLE_ABOVE_BYTES,
    Copied,
    copy_database,
    sample_shares,
)
from perfwright.agents.database.postgresql.probes.scratch_server import Programs, find_programs
from perfwright.core import SystemClock
from tests.postgresql import connected, new_database, run

SOURCE = (
    'create schema "Odd Schema"',
    "create type mood as enum ('sad', 'ok')",
    'create table "Odd Schema"."Big Table"("Id" int generated always as identity primary key,'
    ' "the value" text, m mood,'
    ' doubled text generated always as ("the value" || "the value") stored)',
    'insert into "Odd Schema"."Big Table"("the value", m) select i::text, \'ok\''
    " from generate_series(1, 500) i",
    "create table part(at date not null, n int) partition by range (at)",
    "create table part_1 partition of part for values from ('2026-01-01') to ('2026-02-01')",
    "create table part_2 partition of part for values from ('2026-02-01') to ('2026-03-01')",
    "insert into part select date '2026-01-01' + i % 59, i from generate_series(1, 590) i",
    "create index part_n on part(n)",
    "create view seen as select n from part where n > 5",
    "create materialized view kept as select count(*) as c from part",
    "create table parent(id serial primary key)",
    "create table child(id int, parent_id int)",
    "alter table child add foreign key (parent_id) references parent(id) not valid",
    "insert into parent select from generate_series(1, 40)",
    "create statistics pairs (dependencies) on id, parent_id from child",
    "analyze",
)


@pytest.fixture(scope="module")
def source(server: PrivateServer) -> Iterator[str]:
    with new_database(server, *SOURCE) as url:
        yield url


@pytest.fixture(scope="module")
def programs(server: PrivateServer) -> Programs:
    with connected(server.url()) as connection:
        major = connection.info.server_version // 10_000
    found = find_programs(major)
    assert found is not None
    return found


def copy(source: str, target: str, *, programs: Programs, user: str = "postgres") -> Copied:
    reader = open_database(source.replace("//postgres@", f"//{user}@"))
    try:
        return copy_database(
            reader,
            source_url=source.replace("//postgres@", f"//{user}@"),
            copy_url=target,
            catalog=read_catalog(reader),
            programs=programs,
            limit_bytes=2**30,
            clock=SystemClock(),
            progress=lambda _line: None,
        )
    finally:
        reader.close()


def everything(url: str) -> list[object]:
    with connected(url) as connection:
        return [
            connection.execute('select * from "Odd Schema"."Big Table" order by 1').fetchall(),
            connection.execute("select * from part order by n").fetchall(),
            connection.execute("select * from kept").fetchall(),
            connection.execute("select indexdef from pg_indexes order by 1").fetchall(),
            connection.execute("select stxname from pg_statistic_ext").fetchall(),
            connection.execute("select conname from pg_constraint order by 1").fetchall(),
            connection.execute("select viewname from pg_views where viewname = 'seen'").fetchall(),
        ]


def test_rows_indexes_views_and_constraints_arrive(
    source: str, database: str, programs: Programs
) -> None:
    copied = copy(source, database, programs=programs)
    assert everything(database) == everything(source)
    assert copied.left_out == ()
    assert copied.notes == ()


def test_a_sequence_goes_on_where_it_stood(source: str, database: str, programs: Programs) -> None:
    copy(source, database, programs=programs)
    with connected(database) as connection:
        row = connection.execute("insert into parent default values returning id").fetchone()
    assert row == (41,)


def test_a_sequence_that_may_not_be_read_goes_on_behind_the_largest_value(
    source: str, database: str, programs: Programs
) -> None:
    run(
        source,
        "drop role if exists reader",
        "create role reader login",
        'grant usage on schema "Odd Schema" to reader',
        'grant select on all tables in schema public, "Odd Schema" to reader',
    )
    try:
        copy(source, database, programs=programs, user="reader")
    finally:
        run(source, "drop owned by reader", "drop role reader")
    with connected(database) as connection:
        row = connection.execute("insert into parent default values returning id").fetchone()
    assert row == (41,)


def test_the_source_is_only_read(source: str, database: str, programs: Programs) -> None:
    before = everything(source)
    copy(source, database, programs=programs)
    assert everything(source) == before


def test_tables_that_the_role_may_not_read_are_left_out(
    source: str, database: str, programs: Programs
) -> None:
    run(
        source,
        "drop role if exists reader",
        "create role reader login",
        'grant usage on schema "Odd Schema" to reader',
        "grant select on all tables in schema public to reader",
        "grant select on all sequences in schema public to reader",
    )
    try:
        copied = copy(source, database, programs=programs, user="reader")
    finally:
        run(source, "drop owned by reader", "drop role reader")
    assert copied.left_out == ("Odd Schema.Big Table",)
    assert any("to copy them: GRANT " in n and 'TO "reader"' in n for n in copied.notes)
    with connected(database) as connection:
        assert connection.execute("select count(*) from part").fetchone() == (590,)
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute('select * from "Odd Schema"."Big Table"')


def table(name: str, size_bytes: int) -> Table:
    return Table(name=name, columns=(), size_bytes=size_bytes)


def test_what_fits_is_copied_whole() -> None:
    catalog = Catalog(tables=(table("a", 200 * 2**20), table("b", 10)))
    assert sample_shares(catalog, limit_bytes=2**30) == {}


def test_only_large_tables_are_sampled() -> None:
    catalog = Catalog(tables=(table("large", 2**30), table("small", SAMPLE_ABOVE_BYTES)))
    shares = sample_shares(catalog, limit_bytes=2**29 + SAMPLE_ABOVE_BYTES)
    assert shares == {"large": 0.5}


def test_a_sampled_copy_says_so(
    source: str, database: str, programs: Programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "perfwright.agents.database.postgresql.probes.copying.SAMPLE_ABOVE_BYTES", 0
    )
    reader = open_database(source)
    try:
        copied = copy_database(
            reader,
            source_url=source,
            copy_url=database,
            catalog=read_catalog(reader),
            programs=programs,
            limit_bytes=1000,
            clock=SystemClock(),
            progress=lambda _line: None,
        )
    finally:
        reader.close()
    assert "Odd Schema.Big Table" in copied.shares
    assert any("the copy holds" in note for note in copied.notes)
