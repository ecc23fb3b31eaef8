"""Statements run on a scratch copy, and counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfwright.agents.database.artifacts import Sample
from perfwright.agents.database.sqlite.probes.connection import open_scratch
from perfwright.agents.database.sqlite.probes.replay import Replayer
from tests.agents.database.sqlite_databases import logical_state, make_shop


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop.db")


@pytest.fixture
def replayer(shop: Path) -> Iterator[Replayer]:
    replayer = Replayer(open_scratch(shop, foreign_keys=True), path=shop)
    yield replayer
    replayer.close()


@pytest.mark.parametrize(
    "sql", ["select * from orders where id = 3", "select max(note) from orders"]
)
def test_steps_are_the_same_each_time(replayer: Replayer, sql: str) -> None:
    steps = {replayer.read(Sample(sql=sql), limit_s=9.0).work for _ in range(3)}
    assert len(steps) == 1
    assert steps.pop() > 0


def test_a_point_lookup_takes_few_steps(replayer: Replayer) -> None:
    assert replayer.read(Sample(sql="select * from orders where id = 3"), limit_s=9.0).work < 40


def test_a_statement_is_stopped_at_its_steps(replayer: Replayer) -> None:
    sample = Sample(sql="select count(*) from orders a, orders b where a.note < b.note")
    run = replayer.read(sample, limit_s=60.0, limit_steps=50_000)
    assert run.stopped
    assert run.work < 60_000


def test_a_failing_statement_fails(replayer: Replayer) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        replayer.read(Sample(sql="select * from nosuch"), limit_s=9.0)


def test_a_write_leaves_no_trace(shop: Path, replayer: Replayer) -> None:
    before = logical_state(shop)
    run = replayer.write(Sample(sql="update orders set state = 'x'"), limit_s=9.0)
    assert run.pages > 50
    assert logical_state(shop) == before


def test_an_index_more_is_a_page_more(replayer: Replayer) -> None:
    sample = Sample(sql="insert into log(kind, body) values (?, 'b')", parameters=("k",))
    without = replayer.write(sample, limit_s=9.0).pages
    replayer.connection.execute("create index i on log(kind)")
    assert replayer.write(sample, limit_s=9.0).pages == without + 1


def test_an_insert_of_a_row_that_is_there_finds_room(replayer: Replayer) -> None:
    sample = Sample(sql="insert into log values (5, 'k', 'b')")
    with pytest.raises(sqlite3.IntegrityError):
        replayer.write(sample, limit_s=9.0)
    run = replayer.write(sample, limit_s=9.0, room=("DELETE FROM log WHERE id = 5",))
    assert run.pages >= 1


def test_a_failing_write_ends_its_transaction(replayer: Replayer) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        replayer.write(Sample(sql="insert into log values (5, 'k', 'b')"), limit_s=9.0)
    assert not replayer.connection.in_transaction


def test_an_insert_into_a_packed_index_is_charged_no_split(tmp_path: Path) -> None:
    path = tmp_path / "packed.db"
    sqlite3.connect(path).close()
    connection = open_scratch(path, foreign_keys=False)
    connection.execute("create table t(id integer primary key, k text)")
    connection.executemany(
        "insert into t values(?, ?)", ((i, f"{i * 7919 % 20_000:05}" * 4) for i in range(20_000))
    )
    connection.execute("create index t_k on t(k)")
    replayer = Replayer(connection, path=path)
    try:
        sample = Sample(sql=f"insert into t(k) values ('{'04242' * 4}')")
        runs = [replayer.write(sample, limit_s=9.0) for _ in range(3)]
    finally:
        replayer.close()
    assert {run.pages for run in runs} == {3}, "one for the file, the table and the index each"
    assert len({run.work for run in runs}) == 1


def test_an_insert_that_cannot_be_repeated_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "once.db"
    sqlite3.connect(path).close()
    connection = open_scratch(path, foreign_keys=False)
    connection.execute("create table t(k text unique)")
    replayer = Replayer(connection, path=path)
    try:
        run = replayer.write(Sample(sql="insert into t values ('a')"), limit_s=9.0)
        (rows,) = connection.execute("select count(*) from t").fetchone()
    finally:
        replayer.close()
    assert run.seconds > 0.0
    assert rows == 0
