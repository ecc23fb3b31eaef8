"""Statements with their values are read out of a server's log."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._postgres import QUIET, NoServerError, PrivateServer, private_server
from perfwright.agents.database.postgresql.logparsing import (
    Format,
    Parsed,
    format_of,
    parse_log,
    prefix_pattern,
    whole_records,
)
from perfwright.agents.database.postgresql.probes.connection import open_database
from perfwright.agents.database.postgresql.probes.logs import read_log
from tests.postgresql import connected, run

PREFIX = "%m [%p] %q%u@%d "
HEAD = "2026-11-22 00:18:24.123 UTC [4711] app@shop "


def parse(*lines: str, prefix: str = PREFIX, database: str = "shop") -> Parsed:
    return parse_log("\n".join(lines), kind="stderr", prefix=prefix, database=database)


def statements(parsed: Parsed) -> list[tuple[str, object, float | None]]:
    return [(e.execution.sql, e.execution.parameters, e.execution.ms) for e in parsed.events]


def test_a_statement_comes_with_its_time() -> None:
    parsed = parse(f"{HEAD}LOG:  duration: 0.250 ms  statement: select 1")
    assert statements(parsed) == [("select 1", None, 0.25)]


def test_a_statement_may_have_many_lines() -> None:
    parsed = parse(f"{HEAD}LOG:  duration: 1.0 ms  statement: select", "\t\ta", "\tfrom t")
    assert statements(parsed)[0][0] == "select\n\ta\nfrom t"


def test_bound_values_are_those_of_the_detail() -> None:
    parsed = parse(
        f"{HEAD}LOG:  duration: 0.1 ms  execute <unnamed>: select $1, $2, $3",
        f"{HEAD}DETAIL:  parameters: $1 = 'it''s, $2 = ''x''', $2 = NULL, $3 = 'a",
        "\tb'",
    )
    assert statements(parsed) == [("select $1, $2, $3", ("it's, $2 = 'x'", None, "a\nb"), 0.1)]


def test_newer_servers_write_the_detail_with_a_capital() -> None:
    parsed = parse(
        f"{HEAD}LOG:  duration: 0.1 ms  execute S_1: select $1",
        f"{HEAD}DETAIL:  Parameters: $1 = '7'",
    )
    assert parsed.events[0].execution.parameters == ("7",)


def test_a_value_that_was_cut_is_no_value() -> None:
    parsed = parse(
        f"{HEAD}LOG:  duration: 0.1 ms  execute <unnamed>: select $1",
        f"{HEAD}DETAIL:  parameters: $1 = 'abc...'",
    )
    assert (parsed.events[0].usable, parsed.without_values) == (False, 1)


def test_parsing_and_binding_are_no_executions() -> None:
    parsed = parse(
        f"{HEAD}LOG:  duration: 0.1 ms  parse <unnamed>: select 1",
        f"{HEAD}LOG:  duration: 0.1 ms  bind <unnamed>: select 1",
        f"{HEAD}LOG:  duration: 0.1 ms  execute fetch from c: select 1",
    )
    assert parsed.events == []


def test_a_duration_alone_belongs_to_the_statement_before() -> None:
    parsed = parse(f"{HEAD}LOG:  statement: select 1", f"{HEAD}LOG:  duration: 3.5 ms")
    assert statements(parsed) == [("select 1", None, 3.5)]


def test_a_statement_that_failed_is_left_out() -> None:
    parsed = parse(
        f"{HEAD}LOG:  statement: select nothing",
        f'{HEAD}ERROR:  column "nothing" does not exist',
        f"{HEAD}STATEMENT:  select nothing",
    )
    assert parsed.events == []


def test_another_databases_statements_are_left_out() -> None:
    assert parse(f"{HEAD}LOG:  statement: select 1", database="other").events == []


def test_a_plan_tells_its_statement() -> None:
    parsed = parse(
        f"{HEAD}LOG:  duration: 2.0 ms  plan:",
        "\tQuery Text: select *",
        "\tfrom t where a = 3",
        "\tSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)",
        "\t  Filter: (a = 3)",
    )
    assert statements(parsed) == [("select *\nfrom t where a = 3", None, 2.0)]


def test_a_plan_in_json_tells_its_statement() -> None:
    parsed = parse(
        f"{HEAD}LOG:  duration: 2.0 ms  plan:",
        "\t{",
        '\t  "Query Text": "select * from t where a = $1",',
        '\t  "Query Parameters": "$1 = \'9\'",',
        '\t  "Plan": {}',
        "\t}",
    )
    assert statements(parsed) == [("select * from t where a = $1", ("9",), 2.0)]


def test_a_statement_with_its_plan_counts_once() -> None:
    parsed = parse(
        f"{HEAD}LOG:  duration: 2.0 ms  plan:",
        "\tQuery Text: select * from t where a = $1",
        "\tSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)",
        f"{HEAD}LOG:  duration: 2.1 ms  execute <unnamed>: select * from t where a = $1",
        f"{HEAD}DETAIL:  parameters: $1 = '3'",
    )
    assert [e.execution.parameters for e in parsed.events] == [("3",)]


def test_what_a_function_executes_is_not_the_programs() -> None:
    parsed = parse(
        f"{HEAD}LOG:  duration: 2.0 ms  plan:",
        "\tQuery Text: select 1",
        "\tResult  (cost=0.00..0.01 rows=1 width=4)",
        f"{HEAD}CONTEXT:  PL/pgSQL function f() line 3 at SQL statement",
    )
    assert parsed.events == []


def test_a_cursor_is_its_query() -> None:
    parsed = parse(f"{HEAD}LOG:  statement: DECLARE c NO SCROLL CURSOR FOR select * from t")
    assert statements(parsed) == [("select * from t", None, None)]


def test_statements_between_begin_and_commit_belong_together() -> None:
    parsed = parse(
        *(
            f"{HEAD}LOG:  duration: 0.1 ms  statement: {sql}"
            for sql in ("BEGIN", "select 1", "select 2", "COMMIT", "select 3")
        )
    )
    first, second, third = (e.transaction for e in parsed.events if "select" in e.execution.sql)
    assert first == second != third
    assert third is None


def test_the_servers_own_transactions_are_used() -> None:
    prefix = "%p %v "
    lines = ("7 3/41 LOG:  statement: select 1", "7 3/0 LOG:  duration: 1 ms  statement: select 2")
    assert [e.transaction for e in parse(*lines, prefix=prefix).events] == ["3/41", None]


def test_lines_of_other_programs_are_passed_over() -> None:
    parsed = parse(
        "sh: archive: not found",
        f"{HEAD}LOG:  statement: select 1",
        "rsync: something",
        "\tthat goes on",
        f"{HEAD}LOG:  statement: select 2",
    )
    assert [sql for sql, _, _ in statements(parsed)] == ["select 1", "select 2"]


@pytest.mark.parametrize(
    "head",
    [
        "2026-11-22 00:18:24 UTC [4711] ",
        "4711 app@shop ",
        "Nov 22 00:18:24 db postgres[4711]: [3-1] ",
    ],
)
def test_a_log_with_an_unknown_prefix_is_read_all_the_same(head: str) -> None:
    parsed = parse(f"{head}LOG:  duration: 1 ms  statement: select 1", prefix="")
    assert [(e.session, e.execution.sql) for e in parsed.events] == [("4711", "select 1")]


def test_a_prefix_without_a_process_cannot_tell_sessions_apart() -> None:
    assert prefix_pattern("%t ") is None


@given(st.text(max_size=20))
def test_any_prefix_can_be_read(prefix: str) -> None:
    pattern = prefix_pattern(prefix)
    assert pattern is None or pattern.groups >= 2


_LINES = st.lists(
    st.sampled_from(
        [
            f"{HEAD}LOG:  duration: 0.1 ms  execute <unnamed>: select $1",
            f"{HEAD}DETAIL:  parameters: $1 = 'x'",
            f"{HEAD}LOG:  statement: select '",
            f"{HEAD}LOG:  duration: 1.0 ms  plan:",
            '\t{"Query Text": 3}',
            "\tQuery Text: select 1",
            f"{HEAD}ERROR:  no",
            f"{HEAD}CONTEXT:  c",
            "\tgoes on",
            '{"message": "statement: select 1", "error_severity": "LOG"}',
            '2026-11-22 00:18:24.123 UTC,"a","b",1,,"1.2',
            "",
        ]
    )
    | st.text(alphabet=string.printable, max_size=80),
    max_size=15,
)


@pytest.mark.parametrize("kind", ["stderr", "csvlog", "jsonlog"])
@given(lines=_LINES, cut=st.integers(0, 200), prefix=st.sampled_from([PREFIX, ""]))
def test_no_log_is_too_broken(kind: Format, lines: list[str], cut: int, prefix: str) -> None:
    text = whole_records("\n".join(lines)[cut:], kind)
    parsed = parse_log(text, kind=kind, prefix=prefix)
    assert len(parsed.events) <= parsed.records


@given(st.text(min_size=1).filter(lambda s: "\x00" not in s and "\r" not in s))
def test_every_value_survives_the_log(value: str) -> None:
    quoted = value.replace("'", "''").replace("\n", "\n\t")
    lines = (
        f"{HEAD}LOG:  duration: 0.1 ms  execute <unnamed>: select $1",
        f"{HEAD}DETAIL:  parameters: $1 = '{quoted}'",
    )
    (event,) = parse(*lines).events
    assert event.execution.parameters == ((value,) if not value.endswith("...") else None)


@pytest.mark.parametrize(
    "text",
    ['{"sql": "select 1"}\n', "select 1;\n", "", "-- nothing\n"],
)
def test_a_workload_is_no_log(text: str) -> None:
    assert format_of(text) is None


# --- A real server's logs -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def logging_server() -> Iterator[PrivateServer]:
    settings = {
        **QUIET,
        "logging_collector": "on",
        "log_line_prefix": PREFIX,
        "log_destination": "stderr,csvlog",
        "log_min_duration_statement": "0",
        "autovacuum": "off",
    }
    try:
        with private_server(settings) as running:
            run(
                running.url(),
                "CREATE TABLE t (id int PRIMARY KEY, s text)",
                "INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100) g",
                "CREATE ROLE reader LOGIN",
            )
            yield running
    except NoServerError as error:
        pytest.skip(str(error))


def speak(server: PrivateServer) -> None:
    """Send statements in all the ways that end in a log."""
    with connected(server.url()) as connection:
        connection.execute("SELECT s FROM t WHERE id = 42")
        connection.execute("SELECT s\nFROM t\nWHERE s = %s AND id = %s", ("it's\na \\ line", 7))
        with connection.transaction():
            for number in range(12):
                connection.execute("SELECT id FROM t WHERE id = %s", (number,))
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT nothing FROM t")
    with psycopg.connect(server.url(), autocommit=True) as connection:
        cursor = psycopg.ClientCursor(connection)
        cursor.execute("SELECT s FROM t WHERE s = %s", ("päß",))


def assert_heard(parsed: Parsed) -> None:
    told = statements(parsed)
    assert any(sql == "SELECT s FROM t WHERE id = 42" and ms for sql, _, ms in told)
    assert any(values == ("it's\na \\ line", "7") for _, values, _ in told)
    assert any("päß" in sql for sql, _, _ in told)
    assert not any("nothing" in sql for sql, _, _ in told)
    together = [e.transaction for e in parsed.events if "SELECT id FROM t" in e.execution.sql]
    assert None not in together[-12:]
    assert len(set(together[-12:])) == 1


@pytest.mark.parametrize("kind", ["stderr", "csvlog", "jsonlog"])
def test_each_format_of_a_real_log_tells_the_same(
    logging_server: PrivateServer, kind: Format
) -> None:
    with connected(logging_server.url()) as admin:
        if kind == "jsonlog" and admin.info.server_version < 150_000:
            pytest.skip("jsonlog came with PostgreSQL 15")
        admin.execute(f"ALTER SYSTEM SET log_destination = '{kind}'".encode())
        admin.execute("SELECT pg_reload_conf()")
        while True:  # the log collector takes the new setting up by itself
            admin.execute("SELECT pg_sleep(0.01)")
            row = admin.execute("SELECT pg_current_logfile(%s)", (kind,)).fetchone()
            if row is not None and row[0] is not None:
                break
    speak(logging_server)
    connection = open_database(logging_server.url())
    try:
        logged = read_log(connection, database="postgres")
    finally:
        connection.close()
    assert logged.problem == ""
    assert_heard(logged.parsed)


def test_a_plan_of_auto_explain_is_read(logging_server: PrivateServer) -> None:
    with connected(logging_server.url()) as admin:
        try:
            admin.execute("LOAD 'auto_explain'")
        except psycopg.errors.UndefinedFile:
            pytest.skip("auto_explain is not installed")
        admin.execute("SET log_min_duration_statement = -1")
        admin.execute("SET auto_explain.log_min_duration = 0")
        admin.execute("SELECT s,\n  id FROM t WHERE id = 4711")
        admin.execute("SET auto_explain.log_format = json")
        admin.execute("SELECT s FROM t WHERE id = 4712")
        logged = read_log(admin, database="postgres")
    told = [sql for sql, _, _ in statements(logged.parsed)]
    assert "SELECT s,\n  id FROM t WHERE id = 4711" in told
    assert "SELECT s FROM t WHERE id = 4712" in told


def test_a_role_that_may_not_read_the_log_is_told_its_grant(
    logging_server: PrivateServer, tmp_path: Path
) -> None:
    assert tmp_path.exists()
    connection = open_database(logging_server.url(user="reader"))
    try:
        logged = read_log(connection, database="postgres")
    finally:
        connection.close()
    assert logged.parsed.events == []
    assert 'TO "reader"' in logged.problem


def test_only_the_end_of_a_long_log_is_read(logging_server: PrivateServer) -> None:
    with connected(logging_server.url()) as admin:
        for number in range(200):
            admin.execute(f"SELECT s FROM t WHERE id = {number} AND s = 'tail'".encode())
        logged = read_log(admin, database="postgres", max_bytes=4_000)
    assert 0 < len(logged.parsed.events) < 100


def test_a_server_without_a_log_of_its_own_says_so(server: PrivateServer) -> None:
    connection = open_database(server.url())
    try:
        logged = read_log(connection, database="postgres")
    finally:
        connection.close()
    assert "logging_collector" in logged.problem
