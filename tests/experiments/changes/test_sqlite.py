"""Changes of an SQLite file: made once, taken back whole, refused without a trace."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfwright.core import (
    BusyTargetError,
    ChangeError,
    ChangeSpec,
    ForbiddenChangeError,
    RevertError,
)
from perfwright.experiments.changes import SqliteChange, spec_from_sql
from perfwright.experiments.changes.sqlite import change as sqlite
from perfwright.experiments.changes.sqlite.sql import quote
from tests.experiments.changes.databases import indexes, make, run, seen

HOSTILE = ["two words", 'say "hi"', "it's", "a;b", "--x", "/*y*/", "[b]", "`", "select", "größe 表"]


@pytest.fixture
def database(own_folder: Path) -> Path:
    return make(own_folder / "shop.db")


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.01)


def spec(*apply: str, revert: tuple[str, ...] = ("DROP INDEX t_c",)) -> ChangeSpec:
    return ChangeSpec(
        kind="sqlite-ddl", subject="t_c", apply=apply, revert=revert, summary="add t_c"
    )


NEW_INDEX = spec("CREATE INDEX t_c ON t(c)")


@contextmanager
def held(database: Path) -> Iterator[None]:
    """Hold the write lock as another process would."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX t_c ON t(c)",
        "CREATE INDEX main.t_c ON t(c)",
        "create index if not exists [t_c] on t(c) where b = 'X'",
        "CREATE INDEX t_c ON t(c) -- why",
    ],
)
def test_applying_twice_is_applying_once(database: Path, statement: str) -> None:
    change = SqliteChange(database, spec(statement))
    change.apply()
    once = seen(database)
    change.apply()
    assert seen(database) == once
    assert indexes(database) == ["t_a", "t_ab", "t_c"]


def test_taking_back_what_was_never_applied_changes_nothing(database: Path) -> None:
    before = seen(database)
    SqliteChange(database, NEW_INDEX).revert()
    assert seen(database) == before


def test_taking_back_twice_is_taking_back_once(database: Path) -> None:
    before = seen(database)
    change = SqliteChange(database, spec_from_sql(database, "DROP INDEX t_a; ANALYZE"))
    change.apply()
    change.revert()
    change.revert()
    assert seen(database) == before


COLUMNS = st.sampled_from(["a", "b", "c"])
TABLES = st.lists(st.sampled_from([*HOSTILE, "plain"]), min_size=1, max_size=3, unique=True)


@st.composite
def schemas_and_scripts(draw: st.DrawFn) -> tuple[str, str]:
    """A small database with indexes, perhaps analysed, and a script that changes some of them."""
    tables = draw(TABLES)
    schema, old = [], []
    for number, table in enumerate(tables):
        rows = draw(st.integers(0, 4))
        schema.append(f"CREATE TABLE {quote(table)}(a, b, c)")
        schema += [
            f"INSERT INTO {quote(table)} VALUES ({row}, 'x', {row % 2})" for row in range(rows)
        ]
        if draw(st.booleans()):
            old.append(f"{table} old {number}")
            schema.append(f"CREATE INDEX {quote(old[-1])} ON {quote(table)}({draw(COLUMNS)})")
    if draw(st.booleans()):
        schema.append("ANALYZE")
    script = []
    for number in range(draw(st.integers(1, 4))):
        table = draw(st.sampled_from(tables))
        columns = ", ".join(draw(st.lists(COLUMNS, min_size=1, max_size=2, unique=True)))
        choices = [f"CREATE INDEX {quote(f'{table} new {number}')} ON {quote(table)}({columns})"]
        choices += ["ANALYZE", f"ANALYZE {quote(table)}"]
        choices += [f"DROP INDEX {quote(name)}" for name in old]
        script.append(draw(st.sampled_from(choices)))
    return ";\n".join(schema) + ";", ";\n".join(script)


@given(schemas_and_scripts())
@settings(max_examples=60)
def test_apply_then_revert_is_identity(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[str, str]
) -> None:
    schema, script = case
    database = make(tmp_path_factory.mktemp("identity") / "x.db", schema)
    before = seen(database)
    change = SqliteChange(database, spec_from_sql(database, script))
    change.apply()
    change.apply()
    change.revert()
    assert seen(database) == before
    change.revert()
    assert seen(database) == before


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_names(own_folder: Path, name: str) -> None:
    table, index = quote(name), quote(f"i {name}")
    database = make(own_folder / "x.db", f"CREATE TABLE {table}({table}); ANALYZE;")
    before = seen(database)
    sql = f"CREATE INDEX {index} ON {table}({table})"
    change = SqliteChange(database, spec_from_sql(database, sql))
    change.apply()
    assert indexes(database) == [f"i {name}"]
    change.revert()
    assert seen(database) == before


@pytest.mark.parametrize("folder", ["with space", "q?m#h", "100%", "größe"])
def test_hostile_paths_are_paths(own_folder: Path, folder: str) -> None:
    (own_folder / folder).mkdir()
    database = make(own_folder / folder / "x.db")
    SqliteChange(database, NEW_INDEX).apply()
    assert "t_c" in indexes(database)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM t",
        "PRAGMA journal_mode = OFF",
        "CREATE UNIQUE INDEX t_c ON t(c)",
        "DROP TABLE t",
        "ATTACH 'other.db' AS other",
        "CREATE INDEX t_c ON t(c); DROP TABLE t",
        "CREATE INDEX t_c ON t(c) /* ; */; DELETE FROM t",
    ],
)
@pytest.mark.parametrize("direction", ["apply", "revert"])
def test_a_forbidden_statement_is_refused_before_anything_runs(
    database: Path, statement: str, direction: str
) -> None:
    before = seen(database)
    given = (
        spec("CREATE INDEX t_b ON t(b)", statement)
        if direction == "apply"
        else spec("CREATE INDEX t_b ON t(b)", revert=(statement,))
    )
    with pytest.raises(ForbiddenChangeError, match="only indexes and statistics"):
        SqliteChange(database, given).apply()
    assert seen(database) == before


def test_two_statements_in_one_string_are_not_run_when_taking_back(database: Path) -> None:
    before = seen(database)
    change = SqliteChange(database, spec("ANALYZE", revert=("DROP INDEX t_a; DROP TABLE t",)))
    with pytest.raises(RevertError):
        change.revert()
    assert seen(database) == before


def test_a_statement_that_fails_takes_the_earlier_ones_back(database: Path) -> None:
    before = seen(database)
    change = SqliteChange(database, spec("CREATE INDEX t_c ON t(c)", "CREATE INDEX x ON absent(a)"))
    with pytest.raises(ChangeError, match="no such table") as caught:
        change.apply()
    assert caught.value.change == "add t_c"
    assert seen(database) == before


@pytest.mark.usefixtures("short_waits")
def test_a_locked_database_is_busy_and_untouched(database: Path) -> None:
    before = seen(database)
    with held(database), pytest.raises(BusyTargetError, match="another process has held it"):
        SqliteChange(database, NEW_INDEX).apply()
    assert seen(database) == before


@pytest.mark.usefixtures("short_waits")
def test_a_locked_database_cannot_be_restored_and_says_how(database: Path) -> None:
    with held(database), pytest.raises(RevertError, match="by hand: DROP INDEX t_c") as caught:
        SqliteChange(database, NEW_INDEX).revert()
    assert caught.value.inverse == "DROP INDEX t_c"


def test_a_read_only_database_is_refused(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[18] = 3  # a file format that this SQLite may read and not write: root is held by it too
    database.write_bytes(content)
    with pytest.raises(ChangeError, match="readonly"):
        SqliteChange(database, NEW_INDEX).apply()
    assert database.read_bytes() == content


@pytest.mark.parametrize("direction", ["apply", "revert"])
def test_a_missing_file_is_not_created(own_folder: Path, direction: str) -> None:
    change = SqliteChange(own_folder / "nothing.db", NEW_INDEX)
    with pytest.raises(ChangeError, match="unable to open"):
        getattr(change, direction)()
    assert list(own_folder.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(own_folder: Path) -> None:
    (own_folder / "x.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(ChangeError, match="not a database"):
        SqliteChange(own_folder / "x.db", NEW_INDEX).apply()


def test_an_index_of_the_same_name_is_not_taken_for_ours(database: Path) -> None:
    run(database, "CREATE INDEX t_c ON t(b)")
    before = seen(database)
    with pytest.raises(ChangeError, match="t_c exists already and is another one"):
        SqliteChange(database, NEW_INDEX).apply()
    assert seen(database) == before


@pytest.mark.parametrize(
    "other",
    [
        "CREATE INDEX t_c ON t(b)",
        "CREATE UNIQUE INDEX t_c ON t(a, b)",
        "CREATE INDEX t_c ON t(c) WHERE b = 'X'",
    ],
)
def test_an_index_of_the_same_name_is_not_dropped(database: Path, other: str) -> None:
    run(database, other)
    before = seen(database)
    change = SqliteChange(database, spec("CREATE INDEX t_c ON t(c) WHERE b = 'x'"))
    with pytest.raises(RevertError, match="is another one"):
        change.revert()
    assert seen(database) == before


def test_an_index_that_changed_since_is_not_dropped(database: Path) -> None:
    change = SqliteChange(database, spec_from_sql(database, "DROP INDEX t_a"))
    run(database, "DROP INDEX t_a; CREATE INDEX t_a ON t(a, c)")
    before = seen(database)
    with pytest.raises(ChangeError, match="t_a exists already and is another one"):
        change.apply()
    assert seen(database) == before


def test_an_interruption_within_a_transaction_leaves_nothing(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(database)
    run_statement = sqlite._execute

    def interrupt(
        connection: sqlite3.Connection, statement: str, *, inverse: tuple[str, ...]
    ) -> None:
        run_statement(connection, statement, inverse=inverse)
        if statement == "ANALYZE":
            raise KeyboardInterrupt

    monkeypatch.setattr(sqlite, "_execute", interrupt)
    with pytest.raises(KeyboardInterrupt):
        SqliteChange(database, spec("CREATE INDEX t_c ON t(c)", "ANALYZE")).apply()
    assert seen(database) == before


def test_a_change_describes_itself_in_one_line(database: Path) -> None:
    assert SqliteChange(database, NEW_INDEX).describe() == "add t_c"
