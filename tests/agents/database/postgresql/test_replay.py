"""Statements run on a copy, where nothing may stay behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.artifacts import Sample
from perfwright.agents.database.postgresql.probes.connection import open_database
from perfwright.agents.database.postgresql.probes.observation import literal_samples
from perfwright.agents.database.postgresql.probes.replay import (
    ProcessorTime,
    Replayer,
    UnsafeStatementError,
)
from tests.postgresql import new_database


@pytest.fixture(scope="module")
def url(server: PrivateServer) -> Iterator[str]:
    with new_database(
        server,
        "create table t(id int primary key, a int, b text)",
        "create table child(id int primary key, t_id int references t(id) on delete cascade)",
        "insert into t select i, i % 100, repeat('x', 100) from generate_series(1, 5000) i",
        "insert into child select i, i from generate_series(1, 5000) i",
        "vacuum analyze",
    ) as made:
        yield made


@pytest.fixture
def replayer(url: str) -> Iterator[Replayer]:
    made = Replayer(open_database(url))
    yield made
    made.close()


def test_a_read_is_counted_in_buffers_and_rows(replayer: Replayer) -> None:
    plan, seconds = replayer.explain(Sample(sql="select * from t where a = 7"), limit_s=5)
    assert plan is not None
    assert plan.rows == 50
    assert plan.pages > 50  # 5,000 rows of 130 bytes
    assert seconds > 0


def test_counts_are_the_same_each_time(replayer: Replayer) -> None:
    sample = Sample(sql="select * from t where a = 7")
    works = {plan.work for _ in range(3) if (plan := replayer.explain(sample, limit_s=5)[0])}
    assert len(works) == 1


def test_a_read_that_takes_too_long_is_stopped(replayer: Replayer) -> None:
    endless = Sample(sql="select count(*) from t a, t b, t c")
    plan, seconds = replayer.explain(endless, limit_s=0.1)
    assert plan is None
    assert seconds >= 0.1


def test_the_connection_goes_on_after_a_stopped_statement(replayer: Replayer) -> None:
    assert replayer.time(Sample(sql="select count(*) from t a, t b"), limit_s=0.05).stopped
    assert replayer.time(Sample(sql="select 1"), limit_s=5).rows == 1


@pytest.mark.parametrize(
    "sql",
    [
        "insert into t values (9000, 1, 'new')",
        "update t set a = a + 1 where id = 5",
        "delete from t where id = 5",
    ],
)
def test_a_write_leaves_nothing_behind(replayer: Replayer, sql: str) -> None:
    before = replayer.connection.execute("select sum(a), count(*) from t").fetchone()
    run = replayer.write(Sample(sql=sql), limit_s=5)
    assert run.rows == 1
    assert run.pages > 0
    assert replayer.connection.execute("select sum(a), count(*) from t").fetchone() == before


def test_the_search_for_children_counts_for_a_delete(replayer: Replayer) -> None:
    run = replayer.write(Sample(sql="delete from t where id = 5"), limit_s=5)
    assert run.pages > 20  # child has no index on t_id, so all of its pages are read


def test_room_is_made_without_being_counted(replayer: Replayer) -> None:
    taken = Sample(sql="insert into t values (7, 1, 'again')")
    run = replayer.write(taken, limit_s=5, room=('DELETE FROM "t" WHERE "id" = 7',))
    assert run.rows == 1
    assert run.pages < 20


@pytest.mark.parametrize(
    "sql",
    [
        "select pg_terminate_backend(1)",
        "select dblink_exec('host=x', 'delete from t')",
        "select pg_sleep(5)",
    ],
)
def test_what_reaches_beyond_the_copy_is_refused(replayer: Replayer, sql: str) -> None:
    with pytest.raises(UnsafeStatementError):
        replayer.explain(Sample(sql=sql), limit_s=1)


def test_parameters_are_written_into_the_text(replayer: Replayer) -> None:
    samples = (
        Sample(sql="select $1, $2, $1", parameters=(5, "it's")),
        Sample(sql="select %s", parameters=("a",)),
        Sample(sql="select %(x)s", parameters={"x": 2.5}),
        Sample(sql="select '$1'", parameters=(5,)),
    )
    written = [s.sql for s in literal_samples(samples, replayer.connection)]
    assert written == ["select 5, 'it''s', 5", "select 'a'", "select 2.5", "select '$1'"]


def test_a_read_says_how_long_the_server_worked(replayer: Replayer) -> None:
    run = replayer.time(Sample(sql="select count(*) from t a, t b where a.a = b.a"), limit_s=9)
    assert run.worked_s is not None
    assert 0 < run.charged_s <= run.seconds


def test_a_write_says_how_long_the_server_worked(replayer: Replayer) -> None:
    run = replayer.write(Sample(sql="update t set b = b || 'x'"), limit_s=9)
    assert run.worked_s is not None
    assert 0 < run.charged_s <= run.seconds


def test_a_process_that_cannot_be_seen_has_no_processor_time(url: str) -> None:
    connection = open_database(url)
    seen = ProcessorTime(connection.info)
    connection.close()
    seen.close()
    assert seen.read_s() is None
