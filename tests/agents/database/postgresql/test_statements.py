"""What pg_stat_statements counted, and what to do where it counts nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.postgresql.normalising import MARK
from perfwright.agents.database.postgresql.probes.connection import open_database
from perfwright.agents.database.postgresql.probes.statements import (
    Counted,
    Entry,
    Missing,
    difference,
    read_statements,
)
from tests.postgresql import connected, new_database, run

CREATE = "CREATE EXTENSION pg_stat_statements"


@pytest.fixture
def counting(server: PrivateServer) -> Iterator[str]:
    with new_database(server, CREATE, "CREATE TABLE t (id int PRIMARY KEY, s text)") as url:
        yield url


def read(url: str) -> Counted | Missing:
    connection = open_database(url)
    try:
        return read_statements(connection)
    finally:
        connection.close()


def counted(url: str) -> Counted:
    found = read(url)
    assert isinstance(found, Counted)
    return found


def entry(sql: str = "select 1", *, calls: int = 1, ms: float = 1.0) -> Entry:
    return Entry(key=(sql,), sql=sql, calls=calls, ms=ms)


def test_calls_and_rows_are_counted(counting: str) -> None:
    run(counting, "INSERT INTO t VALUES (1, 'a'), (2, 'b')", *["SELECT s FROM t WHERE id = 1"] * 5)
    found = {e.sql: e for e in counted(counting).entries}
    lookup = found["SELECT s FROM t WHERE id = $1"]
    assert (lookup.calls, lookup.rows) == (5, 5.0)
    assert lookup.ms > 0
    assert lookup.hit_pages > 0


def test_what_was_prepared_in_sql_counts_as_itself(counting: str) -> None:
    with connected(counting) as connection:
        connection.execute("PREPARE p(int) AS SELECT s FROM t WHERE id = $1")
        for _ in range(3):
            connection.execute("EXECUTE p(1)")
    found = {e.sql: e.calls for e in counted(counting).entries}
    assert found["SELECT s FROM t WHERE id = $1"] == 3


def test_statements_of_other_databases_are_not_ours(counting: str, server: PrivateServer) -> None:
    with new_database(server, "CREATE TABLE other_t (id int)") as other:
        run(other, "SELECT id FROM other_t")
        assert not any("other_t" in e.sql for e in counted(counting).entries)


def test_our_own_statements_are_left_out(counting: str) -> None:
    run(counting, f"SELECT {MARK} s FROM t")
    assert not any("FROM t" in e.sql for e in counted(counting).entries)


def test_the_extension_may_live_in_any_schema(server: PrivateServer) -> None:
    made = 'CREATE SCHEMA "Odd one"', f'{CREATE} SCHEMA "Odd one"'
    with new_database(server, *made, "CREATE TABLE t (id int)", "SELECT id FROM t") as url:
        assert any(e.sql == "SELECT id FROM t" for e in counted(url).entries)


def test_what_our_role_may_not_see_is_counted_as_hidden(
    counting: str,
) -> None:
    run(counting, "SELECT s FROM t", "CREATE ROLE modest LOGIN")
    try:
        found = counted(counting.replace("postgres@", "modest@"))
    finally:
        run(counting, "DROP ROLE modest")
    assert found.hidden > 0
    assert found.hidden_ms > 0
    assert not any("FROM t" in e.sql for e in found.entries)


def test_an_extension_that_was_not_created_comes_with_its_command(database: str) -> None:
    found = read(database)
    assert isinstance(found, Missing)
    assert found.remedy.endswith(CREATE)


def test_the_age_of_the_counters_is_known(counting: str) -> None:
    age_s = counted(counting).age_s
    assert age_s is None or age_s >= 0


def test_a_difference_holds_what_happened_in_between() -> None:
    before = Counted(entries=(entry(calls=10, ms=100.0), entry("select 2")))
    after = Counted(entries=(entry(calls=13, ms=160.0), entry("select 2"), entry("select 3")))
    found = difference(before, after, window_s=2.0)
    assert [(e.sql, e.calls, e.ms) for e in found.entries] == [
        ("select 1", 3, 60.0),
        ("select 3", 1, 1.0),
    ]
    assert found.age_s == 2.0


def test_counters_that_were_reset_in_between_count_anew() -> None:
    before, after = Counted(entries=(entry(calls=10),)), Counted(entries=(entry(calls=4),))
    assert [e.calls for e in difference(before, after, window_s=1.0).entries] == [4]
