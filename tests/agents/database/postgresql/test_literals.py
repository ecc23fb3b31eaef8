"""A workload is found on a server that nobody prepared, or joined with a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks._postgres import QUIET, NoServerError, PrivateServer, private_server
from perfwright.agents.database.artifacts import Counters, Shape
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.postgresql.normalising import masked, parameters_in
from perfwright.agents.database.postgresql.parameters import ColumnValue, roles_of
from perfwright.agents.database.postgresql.probes import literals
from perfwright.agents.database.postgresql.probes.catalog import read_catalog
from perfwright.agents.database.postgresql.probes.connection import Connection, open_target
from perfwright.agents.database.postgresql.probes.drawing import draw_missing
from perfwright.agents.database.postgresql.probes.literals import collect_workload
from perfwright.agents.database.postgresql.workload import Collected
from perfwright.core import ConfigError, SystemClock, parse_target
from tests.postgresql import connected, new_database, run

SCHEMA = (
    "CREATE TABLE customers (id int PRIMARY KEY, mail text UNIQUE, joined timestamp)",
    "CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, state text,"
    ' "Total" numeric, extra jsonb)',
    "INSERT INTO customers SELECT g, 'C' || g || '@x.example', timestamp '2024-01-01' + g *"
    " interval '1 hour' FROM generate_series(1, 2000) g",
    "INSERT INTO orders SELECT g, 1 + g % 2000, CASE WHEN g % 10 = 0 THEN 'open' ELSE 'done' END,"
    " g, '{}' FROM generate_series(1, 8000) g",
    "ANALYZE",
    "CREATE EXTENSION pg_stat_statements",
    "SELECT pg_stat_statements_reset()",
)


@pytest.fixture(scope="module")
def shop(server: PrivateServer) -> Iterator[str]:
    with new_database(server, *SCHEMA) as url:
        yield url


@pytest.fixture
def connection(shop: str) -> Iterator[Connection]:
    run(shop, "SELECT pg_stat_statements_reset()")
    opened = open_target(parse_target(shop))
    yield opened
    opened.close()


def collect(
    connection: Connection, *, workload: Path | None = None, watch_s: float = 0.0
) -> Collected:
    return collect_workload(
        connection,
        catalog=read_catalog(connection),
        workload=workload,
        watch_s=watch_s,
        clock=SystemClock(),
        progress=lambda _: None,
    )


def shape_of(collected: Collected, words: str) -> Shape:
    (found,) = [s for s in collected.shapes if words in s.text]
    return found


def drawn(sql: str, connection: Connection, *, rows: float = 5.0) -> Shape | str:
    """The shape with its samples, or why it has none."""
    hidden = masked(sql)
    assert hidden is not None
    shape = Shape(
        id="x",
        text=hidden[0],
        template=sql,
        write=hidden[1],
        calls=1,
        recorded_ms=1.0,
        samples=(),
        counters=Counters(rows=rows),
    )
    found = draw_missing((shape,), connection, catalog=read_catalog(connection))
    return found.problems[0][1] if found.problems else found.shapes[0]


def assert_drawn(sql: str, connection: Connection, *, finds: bool = True) -> tuple[str, ...]:
    """Each sample is marked, and finds rows."""
    shape = drawn(sql, connection)
    assert isinstance(shape, Shape), shape
    assert shape.samples
    for sample in shape.samples:
        assert sample.drawn
        assert not parameters_in(sample.sql)
        if finds:
            assert connection.execute(sample.sql.encode()).fetchall(), sample.sql
    return tuple(sample.sql for sample in shape.samples)


# --- Without a file -------------------------------------------------------------------------------


def test_counters_alone_make_a_workload(shop: str, connection: Connection) -> None:
    run(shop, *["SELECT mail FROM customers WHERE id = 7"] * 6)
    shape = shape_of(collect(connection), "from customers where id = ?")
    assert (shape.calls, shape.write) == (6, False)
    assert shape.recorded_ms
    assert all(sample.drawn for sample in shape.samples)


def test_drawn_values_are_owned_up_to(shop: str, connection: Connection) -> None:
    run(shop, "SELECT mail FROM customers WHERE id = 7")
    assert any("drawn from rows" in note for note in collect(connection).notes)


def test_what_touches_no_table_of_the_user_is_no_workload(
    shop: str, connection: Connection
) -> None:
    run(shop, "SELECT count(*) FROM pg_class", "SELECT 1", "SELECT mail FROM customers")
    assert [s.text for s in collect(connection).shapes] == ["select mail from customers"]


def test_sessions_lend_their_values_to_the_counters(shop: str, connection: Connection) -> None:
    with connected(shop) as idle:
        idle.execute("SELECT mail FROM customers WHERE id = 1234")
        collected = collect(connection, watch_s=0.1)
    (sample,) = shape_of(collected, "id = ?").samples
    assert (sample.sql, sample.drawn) == ("SELECT mail FROM customers WHERE id = 1234", False)


def test_a_quiet_window_falls_back_to_what_was_counted_before(
    shop: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(literals, "MIN_WINDOW_S", 0.0)
    run(shop, "SELECT mail FROM customers")
    collected = collect(connection, watch_s=0.1)
    assert len(collected.shapes) == 1
    assert any("since the last reset" in note for note in collected.notes)


def test_no_literal_reaches_a_note(shop: str, connection: Connection) -> None:
    run(shop, "SELECT id FROM orders WHERE extra @> '{\"secret\": 1}'")
    with connected(shop) as idle:
        idle.execute("SELECT id FROM orders WHERE state LIKE 'secret%'")
        notes = collect(connection, watch_s=0.1).notes
    assert notes
    assert not any("secret" in note for note in notes)


def test_nothing_at_all_says_what_to_do(connection: Connection) -> None:
    collected = collect(connection)
    assert collected.shapes == ()
    assert any("--workload FILE" in note and "log_min_duration" in note for note in collected.notes)


@pytest.fixture(scope="module")
def uncounted_server() -> Iterator[PrivateServer]:
    try:
        with private_server({**QUIET, "shared_preload_libraries": ""}) as running:
            run(running.url(), "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
            yield running
    except NoServerError as error:
        pytest.skip(str(error))


def test_without_counters_the_sessions_are_the_workload(uncounted_server: PrivateServer) -> None:
    opened = open_target(parse_target(uncounted_server.url()))
    try:
        with connected(uncounted_server.url()) as idle:
            idle.execute("SELECT id FROM t WHERE id = 1")
            collected = collect(opened, watch_s=0.1)
    finally:
        opened.close()
    assert [s.text for s in collected.shapes] == ["select id from t where id = ?"]
    assert any("ALTER SYSTEM SET shared_preload_libraries" in note for note in collected.notes)
    assert any("a lower bound" in note for note in collected.notes)


# --- With a file ----------------------------------------------------------------------------------


def test_a_file_is_the_workload(shop: str, connection: Connection, tmp_path: Path) -> None:
    run(shop, *["SELECT mail FROM customers WHERE id = 7"] * 4, "SELECT count(*) FROM orders")
    file = tmp_path / "w.jsonl"
    file.write_text('{"sql": "SELECT mail FROM customers WHERE id = 9", "count": 100}\n')
    collected = collect(connection, workload=file)
    (shape,) = collected.shapes
    assert shape.calls == 100
    assert shape.recorded_ms
    assert any("not in the file" in note for note in collected.notes)


def test_a_log_is_a_workload_file(connection: Connection, tmp_path: Path) -> None:
    file = tmp_path / "postgresql.log"
    head = "2026-01-01 00:00:00.000 UTC [7] LOG:  "
    file.write_text(
        f"{head}duration: 2.0 ms  execute <unnamed>: SELECT mail FROM customers WHERE id = $1\n"
        "2026-01-01 00:00:00.000 UTC [7] DETAIL:  parameters: $1 = '3'\n"
    )
    (shape,) = collect(connection, workload=file).shapes
    assert [s.sql for s in shape.samples] == ["SELECT mail FROM customers WHERE id = '3'"]


def test_a_log_without_statements_is_refused(connection: Connection, tmp_path: Path) -> None:
    file = tmp_path / "postgresql.log"
    file.write_text("2026-01-01 00:00:00.000 UTC [7] LOG:  database system is ready\n")
    with pytest.raises(ConfigError, match="holds no statements"):
        collect(connection, workload=file)


def test_requests_of_a_file_tell_what_is_repeated(connection: Connection, tmp_path: Path) -> None:
    lookup, page = "SELECT mail FROM customers WHERE id = 1", "SELECT id FROM orders"
    lines = [
        json.dumps({"sql": sql, "request": request})
        for request in range(3)
        for sql in (page, *[lookup] * 12)
    ]
    file = tmp_path / "w.jsonl"
    file.write_text("\n".join(lines))
    repetition = shape_of(collect(connection, workload=file), "customers").repetition
    assert repetition is not None
    assert (repetition.within, repetition.together) == ("transaction", 12.0)


# --- Drawing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT mail FROM customers WHERE id = $1",
        "SELECT id FROM orders WHERE customer_id = $1 AND state = $2 ORDER BY id DESC LIMIT $3",
        "SELECT id FROM orders o WHERE o.state IN ($1, $2) LIMIT $3 OFFSET $4",
        "SELECT id FROM orders WHERE id = ANY($1)",
        "SELECT id FROM orders WHERE id = ANY($1::int[])",
        'SELECT id FROM orders WHERE "Total" BETWEEN $1 AND $2',
        "SELECT id FROM customers WHERE joined >= $1 AND joined <= $2",
        "SELECT id FROM customers WHERE lower(mail) = $1",
        "SELECT id FROM customers WHERE (joined, id) >= ($1, $2) LIMIT $3",
        "SELECT $1 AS one FROM customers WHERE mail = $2::text LIMIT $3",
        "SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer_id AND o.state = $1",
        "SELECT id FROM customers c WHERE EXISTS (SELECT $1 FROM orders WHERE customer_id = c.id"
        " AND state = $2)",
        "WITH late AS (SELECT * FROM orders WHERE state = $1) SELECT id FROM late",
    ],
)
def test_values_are_drawn_from_rows_that_the_statement_finds(
    sql: str, connection: Connection
) -> None:
    assert assert_drawn(sql, connection)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO orders (id, customer_id, state) VALUES ($1, $2, $3), ($4, $5, $6)",
        "INSERT INTO customers VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET joined = $4",
        "UPDATE orders SET state = $1 WHERE id = $2",
        "DELETE FROM orders WHERE customer_id = $1 AND state = $2",
    ],
)
def test_writes_are_drawn_from_rows_that_there_are(sql: str, connection: Connection) -> None:
    assert assert_drawn(sql, connection, finds=False)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM customers WHERE mail LIKE $1",
        "SELECT id FROM orders WHERE extra @> $1",
        "SELECT id FROM customers WHERE date_trunc($1, joined) = $2",
        "SELECT id FROM customers WHERE joined > now() - CAST($1 AS interval)",
        "SELECT id FROM orders WHERE state || $1 = $2",
        "SELECT state, count(*) FROM orders GROUP BY state HAVING count(*) > $1",
        "SELECT nothing FROM customers WHERE nothing = $1",
    ],
)
def test_what_no_row_tells_is_not_invented(sql: str, connection: Connection) -> None:
    assert isinstance(drawn(sql, connection), str)


def test_values_of_one_table_come_from_one_row(connection: Connection) -> None:
    sql = "SELECT id FROM orders WHERE id = $1 AND customer_id = $2"
    assert len(assert_drawn(sql, connection)) > 1


def test_a_range_is_as_wide_as_the_rows_that_were_counted(connection: Connection) -> None:
    found = drawn("SELECT id FROM orders WHERE id BETWEEN $1 AND $2", connection, rows=20.0)
    assert isinstance(found, Shape)
    rows = [len(connection.execute(s.sql.encode()).fetchall()) for s in found.samples]
    assert max(rows) < 2_500  # of 8,000, of which two random ends would leave a third


def test_a_limit_is_what_every_call_returned(connection: Connection) -> None:
    shape = drawn("SELECT id FROM orders LIMIT $1", connection, rows=25.0)
    assert isinstance(shape, Shape)
    assert {s.sql for s in shape.samples} == {"SELECT id FROM orders LIMIT '25'"}


def test_a_limit_that_never_bound_is_not_made_to(connection: Connection) -> None:
    shape = drawn("SELECT id FROM orders LIMIT $1", connection, rows=0.4)
    assert isinstance(shape, Shape)
    assert {s.sql for s in shape.samples} == {"SELECT id FROM orders LIMIT '10'"}


def test_drawing_twice_draws_the_same(connection: Connection) -> None:
    sql = "SELECT mail FROM customers WHERE id = $1"
    assert assert_drawn(sql, connection) == assert_drawn(sql, connection)


def test_an_empty_table_has_nothing_to_draw(server: PrivateServer) -> None:
    with new_database(server, "CREATE TABLE t (id int)") as url:
        opened = open_target(parse_target(url))
        try:
            assert "has no rows" in str(drawn("SELECT id FROM t WHERE id = $1", opened))
        finally:
            opened.close()


def test_a_new_value_of_a_unique_column_is_not_drawn(connection: Connection) -> None:
    catalog: Catalog = read_catalog(connection)
    roles = roles_of(
        "UPDATE customers SET mail = $1 WHERE id = $2", catalog, numbers=frozenset({1, 2})
    )
    assert roles.problem is not None


def test_a_parameter_of_a_view_is_that_of_its_table(server: PrivateServer) -> None:
    made = (
        "CREATE TABLE t (id int, s text)",
        "CREATE VIEW v AS SELECT id AS number, s FROM t",
        "INSERT INTO t VALUES (5, 'x')",
    )
    with new_database(server, *made) as url:
        opened = open_target(parse_target(url))
        try:
            assert assert_drawn("SELECT s FROM v WHERE number = $1", opened)
            roles = roles_of(
                "SELECT s FROM v WHERE number = $1",
                read_catalog(opened),
                numbers=frozenset({1}),
            )
        finally:
            opened.close()
    role = roles.known[1]
    assert isinstance(role, ColumnValue)
    assert role.expression == '"id"'


def test_a_role_that_may_only_read_statistics_draws_nothing_and_goes_on(
    server: PrivateServer,
) -> None:
    made = ("CREATE EXTENSION pg_stat_statements", "CREATE TABLE t (id int)", "SELECT id FROM t")
    with new_database(server, *made) as url:
        run(url, "SELECT id FROM t WHERE id = 3", "CREATE ROLE watcher LOGIN IN ROLE pg_monitor")
        opened = open_target(parse_target(url.replace("postgres@", "watcher@")))
        try:
            collected = collect(opened)
        finally:
            opened.close()
            run(url, "DROP ROLE watcher")
    assert {s.text: len(s.samples) for s in collected.shapes} == {
        "select id from t": 1,
        "select id from t where id = ?": 0,
    }
    assert any("may not be read" in note for note in collected.notes)


def test_an_expression_that_fails_on_some_rows_loses_its_own_statement_only(
    connection: Connection,
) -> None:
    assert isinstance(drawn("SELECT id FROM orders WHERE state::int = $1", connection), str)
    assert connection.execute("SELECT 1").fetchone() == (1,)
