"""A statement without values is planned, not executed."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.postgresql.probes.connection import Connection, open_target
from perfwright.agents.database.postgresql.probes.generic import explain_generic
from perfwright.core import parse_target
from tests.postgresql import new_database


@pytest.fixture
def connection(server: PrivateServer) -> Iterator[Connection]:
    made = (
        "CREATE TABLE t (id int PRIMARY KEY, s text)",
        "INSERT INTO t SELECT g, 'x' FROM generate_series(1, 5000) g",
        "ANALYZE t",
    )
    with new_database(server, *made) as url:
        opened = open_target(parse_target(url))
        yield opened
        opened.close()


def major(connection: Connection) -> int:
    return connection.info.server_version // 10_000


def test_a_lookup_is_planned_without_its_value(connection: Connection) -> None:
    (found,) = explain_generic(
        connection, "SELECT s FROM t WHERE id = $1 LIMIT $2", major=major(connection)
    )
    assert "Index Scan" in str(found)


def test_a_null_does_not_empty_the_plan(connection: Connection) -> None:
    (found,) = explain_generic(
        connection, "SELECT s FROM t WHERE s LIKE $1", major=major(connection)
    )
    assert found["Plan"]["Node Type"] == "Seq Scan"


def test_a_write_is_planned_on_a_read_only_connection(connection: Connection) -> None:
    (found,) = explain_generic(
        connection, "UPDATE t SET s = $1 WHERE id = $2", major=major(connection)
    )
    assert found["Plan"]["Node Type"] == "ModifyTable"


def test_planning_twice_leaves_nothing_behind(connection: Connection) -> None:
    for _ in range(2):
        assert explain_generic(connection, "SELECT s FROM t", major=major(connection))


def test_a_statement_that_cannot_be_planned_leaves_the_session_usable(
    connection: Connection,
) -> None:
    with pytest.raises(psycopg.Error):
        explain_generic(connection, "SELECT nothing FROM t", major=major(connection))
    assert connection.execute("SELECT 1").fetchone() == (1,)
