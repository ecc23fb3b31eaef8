"""The inverse of a user's SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfwright.core import ChangeSpec, ForbiddenChangeError, UnreadableTargetError
from perfwright.experiments.changes import SqliteChange, spec_from_sql
from tests.experiments.changes.databases import indexes, make, run, seen


@pytest.fixture
def database(own_folder: Path) -> Path:
    return make(own_folder / "shop.db")


def assert_taken_back(database: Path, sql: str) -> ChangeSpec:
    """Apply a script and take it back: nothing of it is left."""
    before = seen(database)
    change = SqliteChange(database, spec_from_sql(database, sql))
    change.apply()
    assert seen(database) != before
    change.revert()
    assert seen(database) == before
    return change.spec


def test_the_inverse_of_a_new_index_drops_it(database: Path) -> None:
    spec = assert_taken_back(database, "CREATE INDEX t_c ON t(c)")
    assert spec.revert == ('DROP INDEX "t_c"',)
    assert (spec.kind, spec.subject) == ("sqlite-ddl", "t_c")


def test_the_inverse_of_a_drop_makes_the_index_as_it_was(database: Path) -> None:
    spec = assert_taken_back(database, "DROP INDEX T_A")
    assert spec.revert == ("CREATE INDEX t_a ON t(a)",)


def test_the_inverse_of_a_drop_brings_the_statistics_of_the_index_back(database: Path) -> None:
    run(database, "ANALYZE")
    assert_taken_back(database, "DROP INDEX T_A")


def test_statistics_that_were_edited_by_hand_come_back(database: Path) -> None:
    run(database, "ANALYZE; UPDATE sqlite_stat1 SET stat = 1000; DELETE FROM t")
    assert_taken_back(database, "ANALYZE")


def test_the_inverse_of_a_first_analyze_leaves_no_statistics(database: Path) -> None:
    spec = assert_taken_back(database, "ANALYZE")
    assert spec.subject == "statistics"


def test_the_inverse_of_a_later_analyze_brings_the_old_statistics_back(database: Path) -> None:
    run(database, "ANALYZE; INSERT INTO t VALUES (7, 'z', 1)")
    assert_taken_back(database, "ANALYZE t")


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX t_c ON t(c); ANALYZE",
        "ANALYZE; CREATE INDEX t_c ON t(c); ANALYZE",
        "INSERTED; ANALYZE; DROP INDEX t_a; ANALYZE",
        "INSERTED; DROP INDEX t_a; CREATE INDEX t_c ON t(c); ANALYZE",
        "INSERTED; CREATE INDEX t_c ON t(c); ANALYZE t; DROP INDEX t_a",
    ],
)
@pytest.mark.parametrize("analyzed", [True, False])
def test_a_mixed_script_is_taken_back_whole(database: Path, sql: str, analyzed: bool) -> None:
    if analyzed:
        run(database, "ANALYZE")
    if sql.startswith("INSERTED; "):
        run(database, "INSERT INTO t VALUES (7, 'z', 1)")
    assert_taken_back(database, sql.removeprefix("INSERTED; "))


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("", "there is no statement in it"),
        ("-- only a comment", "there is no statement in it"),
        ("DELETE FROM t", "only CREATE INDEX, DROP INDEX and ANALYZE"),
        ("CREATE INDEX t_c ON t(c); DROP TABLE t", "only CREATE INDEX, DROP INDEX and ANALYZE"),
        ("CREATE UNIQUE INDEX t_c ON t(c)", "only CREATE INDEX"),
        ("DELETE FROM sqlite_stat1", "only CREATE INDEX"),
        ("CREATE INDEX T_A ON t(c)", "T_A exists already"),
        ("CREATE INDEX keyed ON t(c)", "keyed exists already"),
        ("DROP INDEX nothing", "there is no index nothing"),
        ("DROP INDEX t_ab", "t_ab enforces a constraint and is never dropped"),
        ("DROP INDEX sqlite_autoindex_keyed_1", "enforces a constraint and is never dropped"),
    ],
)
def test_what_cannot_be_taken_back_is_refused(database: Path, sql: str, problem: str) -> None:
    before = seen(database)
    with pytest.raises(ForbiddenChangeError, match=problem):
        spec_from_sql(database, sql)
    assert seen(database) == before


def test_a_missing_database_is_unreadable_and_not_created(own_folder: Path) -> None:
    with pytest.raises(UnreadableTargetError):
        spec_from_sql(own_folder / "nothing.db", "ANALYZE")
    assert list(own_folder.iterdir()) == []


def test_the_summary_is_one_line(database: Path) -> None:
    spec = spec_from_sql(database, "CREATE INDEX t_c\n  ON t(c);\nANALYZE")
    assert spec.summary == "CREATE INDEX t_c ON t(c); ANALYZE"
    assert indexes(database) == ["t_a", "t_ab"]
