"""Reading the few statements that may change an SQLite target."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perfwright.experiments.changes import is_allowed, split_statements
from perfwright.experiments.changes.sqlite.sql import (
    analyzed_name,
    index_statement,
    literal,
    quote,
    same_sql,
    unquote,
)

HOSTILE = [
    "plain",
    "two words",
    'say "hi"',
    "it's",
    "a;b",
    "--dash",
    "/*star*/",
    "[brackets]",
    "`tick`",
    "select",
    "größe",
    "表",
    "semi;DROP TABLE t",
    "new\nline",
]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX i ON t(a)",
        "create index if not exists i on t(a, b DESC) where a > 1",
        'CREATE INDEX main."i x" ON "t y"(lower(a))',
        "CREATE INDEX [i] ON `t`(a)",
        "CREATE INDEX i ON t(a);",
        "CREATE INDEX/**/i ON t(a) -- ; DROP TABLE t",
        "CREATE INDEX i ON t(a) WHERE b = ';'",
        "DROP INDEX i",
        "DROP INDEX IF EXISTS main.i;",
        "ANALYZE",
        "ANALYZE main.t;",
        "DELETE FROM sqlite_stat1",
        "INSERT INTO sqlite_stat1(tbl, idx, stat) VALUES ('t', 'i', '1 1')",
        "UPDATE sqlite_stat4 SET idx = NULL",
        "DROP TABLE sqlite_stat1",
    ],
)
def test_indexes_and_statistics_may_be_changed(sql: str) -> None:
    assert is_allowed(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "-- nothing",
        "DELETE FROM t",
        "INSERT INTO t VALUES (1)",
        "UPDATE t SET a = 1",
        "DROP TABLE t",
        "DROP TABLE sqlite_stat1x",
        "DELETE FROM sqlite_stat",
        "CREATE TABLE x(a)",
        "CREATE UNIQUE INDEX i ON t(a)",
        "CREATE/**/UNIQUE/**/INDEX i ON t(a)",
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM t; END",
        "PRAGMA synchronous = OFF",
        "ATTACH 'other.db' AS other",
        "VACUUM",
        "REINDEX",
        "ALTER TABLE t RENAME TO u",
        "SELECT load_extension('x')",
        "EXPLAIN CREATE INDEX i ON t(a)",
        "CREATE INDEX i ON t(a); DROP TABLE t",
        "CREATE INDEX i ON t(a);DROP TABLE t;",
        "DROP INDEX i; DROP TABLE t",
        "ANALYZE; DROP TABLE t",
        "DELETE FROM sqlite_stat1; DROP TABLE t",
        "DROP TABLE sqlite_stat1; DROP TABLE t",
        "/* CREATE INDEX i ON t(a) */ DROP TABLE t",
        "-- CREATE INDEX i ON t(a)\nDROP TABLE t",
        "CREATE INDEX i ON t(a) /* ; */ ; DROP TABLE t",
    ],
)
def test_everything_else_is_refused(sql: str) -> None:
    assert not is_allowed(sql)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_quoted_name_is_read_as_it_was(name: str) -> None:
    made = index_statement(f"CREATE INDEX {quote(name)} ON {quote(name)}(a)")
    dropped = index_statement(f"DROP INDEX {quote(name)}")
    assert made is not None
    assert dropped is not None
    assert (made.name, made.table, made.drops) == (name, name, False)
    assert (dropped.name, dropped.table, dropped.drops) == (name, None, True)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_quoting_is_undone_by_unquoting(name: str) -> None:
    assert unquote(quote(name)) == name


@given(
    st.none()
    | st.binary()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(-1e9, 1e9, width=32)  # SQLite before 3.42 misreads the last bit of extreme ones
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
)
@example("it's")
@example(100)
def test_sqlite_reads_a_literal_as_the_value(value: str | bytes | float | None) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute(f"SELECT {literal(value)}").fetchone() == (value,)


@pytest.mark.parametrize(
    ("sql", "name"),
    [("ANALYZE", ""), ('analyze "t x" ;', "t x"), ("ANALYZE main.i", "i"), ("ANALYZEt", None)],
)
def test_an_analyze_names_what_it_looks_at(sql: str, name: str | None) -> None:
    assert analyzed_name(sql) == name


@pytest.mark.parametrize(
    "other",
    [
        "create index I on t(a)   where b = 'X y'",
        "CREATE INDEX IF NOT EXISTS i ON t(a) WHERE b = 'X y';",
        "CREATE INDEX main.i ON t(a) WHERE b = 'X y'",
        "CREATE INDEX \"i\" ON t(a) WHERE b = 'X y'",
        "CREATE INDEX i\n  ON t(a) -- why\nWHERE b = 'X y'",
    ],
)
def test_what_sqlite_does_not_store_makes_no_difference(other: str) -> None:
    assert same_sql("CREATE INDEX i ON t(a) WHERE b = 'X y'", other)


@pytest.mark.parametrize(
    "other",
    [
        "CREATE INDEX i ON t(b) WHERE b = 'X y'",
        "CREATE INDEX j ON t(a) WHERE b = 'X y'",
        "CREATE UNIQUE INDEX i ON t(a) WHERE b = 'X y'",
        "CREATE INDEX i ON t(a) WHERE b = 'x y'",
        "CREATE INDEX i ON t(a) WHERE b = 'X  y'",
        "CREATE INDEX i ON t(a)",
        "",
    ],
)
def test_anything_else_is_another_index(other: str) -> None:
    assert not same_sql("CREATE INDEX i ON t(a) WHERE b = 'X y'", other)


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("", []),
        (" ; ;; ", []),
        ("A", ["A"]),
        ("A; B;", ["A", "B"]),
        ("A ';' ; B", ["A ';'", "B"]),
        ("A 'it''s;' ; B", ["A 'it''s;'", "B"]),
        ('A ";" ; B', ['A ";"', "B"]),
        ("A [;] `;` ; B", ["A [;] `;`", "B"]),
        ("A -- ; no\n; B", ["A", "B"]),
        ("A /* ; */ B; C", ["A   B", "C"]),
        ("DROP/**/TABLE t", ["DROP TABLE t"]),
        ("A /* never ends ; B", ["A"]),
        ("A 'never ends ; B", ["A 'never ends ; B"]),
        ("1 - 2 / 3; B", ["1 - 2 / 3", "B"]),
    ],
)
def test_a_script_is_split_at_its_semicolons(script: str, statements: list[str]) -> None:
    assert split_statements(script) == statements


PIECES = st.sampled_from(
    [
        "a",
        "SELECT",
        " ",
        "\n",
        "-",
        "/",
        "*",
        "1.5",
        "'x;y'",
        "'it''s'",
        '"q;"',
        "`b;`",
        "[c;]",
        "é",
    ]
)
STATEMENT = (
    st.lists(PIECES, min_size=1, max_size=8)
    .map(" ".join)
    .map(str.strip)
    .filter(lambda text: text and "--" not in text and "/*" not in text)
)


@given(st.lists(STATEMENT, max_size=5))
def test_splitting_what_was_joined_gives_the_statements_back(statements: list[str]) -> None:
    assert split_statements(";\n".join(statements)) == statements


@given(st.text("ab '\"`[];", max_size=30))
def test_no_text_is_lost_but_semicolons_between_statements(script: str) -> None:
    rest = script
    for statement in split_statements(script):
        before, found, rest = rest.partition(statement)
        assert found == statement
        assert set(before) <= set("; \n")
    assert set(rest) <= set("; \n")


@given(st.text("ab '\"`[;-/*\n", max_size=30))
def test_splitting_again_changes_nothing(script: str) -> None:
    for statement in split_statements(script):
        assert split_statements(statement) in ([statement], [])
