"""Which PostgreSQL statements are read, and which are never run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.experiments.changes import is_allowed_postgresql
from perfwright.experiments.changes.postgresql.lexing import (
    quote_name,
    quote_text,
    split_sql,
    tokens,
)
from perfwright.experiments.changes.postgresql.sql import Action, Statement, read_statement


def read(sql: str) -> Statement:
    statement = read_statement(sql)
    assert statement is not None
    return statement


ALLOWED = {
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON s.t USING gin (a jsonb_path_ops)": (
        Action.CREATE_INDEX
    ),
    "create index on \"T\" (lower(a)) include (b) with (fillfactor=70) where c = ';'": (
        Action.CREATE_INDEX
    ),
    "CREATE INDEX i ON ONLY t (a)": Action.CREATE_INDEX,
    "DROP INDEX CONCURRENTLY IF EXISTS s.i": Action.DROP_INDEX,
    "DROP INDEX i /* not /* longer */ used */;": Action.DROP_INDEX,
    "CREATE STATISTICS IF NOT EXISTS s.x (ndistinct) ON a, (extract(year FROM b)) FROM s.t": (
        Action.CREATE_STATISTICS
    ),
    "DROP STATISTICS IF EXISTS x": Action.DROP_STATISTICS,
    "ANALYZE": Action.ANALYZE,
    'ANALYZE VERBOSE "My t" (a, "B")': Action.ANALYZE,
    "ALTER ROLE app SET work_mem = '64MB'": Action.SET,
    "ALTER ROLE app IN DATABASE shop SET random_page_cost TO 1.1": Action.SET,
    "ALTER DATABASE shop RESET jit": Action.SET,
    "COMMENT ON INDEX i IS 'it''s; mine'": Action.RESTORE,
    "ALTER INDEX i ALTER COLUMN 2 SET STATISTICS 100": Action.RESTORE,
    "ALTER INDEX i ATTACH PARTITION s.j": Action.ATTACH_INDEX,
    'ALTER TABLE t CLUSTER ON "I"': Action.RESTORE,
}
FORBIDDEN = (
    "",
    "SELECT 1",
    "CREATE UNIQUE INDEX i ON t (a)",
    "DROP INDEX i CASCADE",
    "DROP INDEX i, j",
    "DROP INDEX a.b.c",
    "DROP INDEX i; DROP TABLE t",
    "CREATE INDEX i ON t (a); DELETE FROM t",
    "ANALYZE t; DELETE FROM t",
    "ANALYZE (VERBOSE) t, u",
    "DROP TABLE t",
    "REINDEX INDEX i",
    "ALTER INDEX i SET (fillfactor = 10)",
    "ALTER INDEX i RENAME TO j",
    "ALTER TABLE t ADD COLUMN a int",
    "ALTER TABLE t CLUSTER ON i, DROP COLUMN a",
    "COMMENT ON INDEX i IS 'x' || pg_sleep(9)",
    "ALTER SYSTEM SET work_mem = '1GB'",
    "ALTER ROLE ALL SET work_mem = '1GB'",
    "ALTER ROLE app SET search_path = evil",
    "ALTER ROLE app PASSWORD 'x'",
    "ALTER ROLE app SUPERUSER",
    "ALTER ROLE app SET work_mem FROM CURRENT",
    "ALTER ROLE app RESET ALL",
    "ALTER DATABASE shop SET synchronous_commit = off",
    "ALTER DATABASE shop SET fsync = off",
    "ALTER DATABASE shop SET full_page_writes = off",
    "ALTER DATABASE shop SET autovacuum = off",
    "ALTER DATABASE shop SET work_mem = '1MB', jit = off",
    "ALTER DATABASE shop OWNER TO me",
    "CREATE STATISTICS x ON a, b FROM t, u",
)


@pytest.mark.parametrize("sql", ALLOWED)
def test_what_changes_indexes_statistics_or_harmless_settings_is_read(sql: str) -> None:
    assert read(sql).action is ALLOWED[sql]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_anything_else_is_never_run(sql: str) -> None:
    assert not is_allowed_postgresql(sql)


def test_an_index_is_always_made_concurrently() -> None:
    made = read("create index i on t(a)").placed(schema="public", table="t")
    assert made.creation() == 'CREATE INDEX CONCURRENTLY IF NOT EXISTS "i" ON "public"."t" (a)'


def test_the_frame_of_a_partitioned_index_cannot_be_made_concurrently() -> None:
    made = read("create index i on only t(a)").placed(schema="public", table="t")
    assert made.creation() == 'CREATE INDEX IF NOT EXISTS "i" ON ONLY "public"."t" (a)'


def test_an_unquoted_name_is_folded() -> None:
    assert read("DROP INDEX Public.Mine").relation == '"public"."mine"'


def test_a_quoted_name_is_kept() -> None:
    assert read('DROP INDEX "Public"."a""b"').relation == '"Public"."a""b"'


def test_a_setting_is_written_anew() -> None:
    setting = read("alter user App in database Shop set Work_Mem = '64MB'").setting
    assert setting is not None
    assert setting.sql == 'ALTER ROLE "app" IN DATABASE "shop" SET work_mem TO \'64MB\''


def test_a_script_is_split_at_its_own_semicolons_alone() -> None:
    script = "a ';' b; -- ; no\n c $x$ ; $x$ \";\" /* ; /* ; */ */ d;;E'\\';'"
    assert split_sql(script) == ["a ';' b", 'c $x$ ; $x$ ";" /* ; /* ; */ */ d', "E'\\';'"]


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_a_quoted_identifier_is_one_token_with_that_name(name: str) -> None:
    (token,) = tokens(quote_name(name))
    assert token.name == name


@given(st.text().filter(lambda text: "\0" not in text))
def test_a_quoted_text_is_one_token(text: str) -> None:
    (token,) = tokens(quote_text(text))
    assert token.kind == "string"


@given(st.text())
def test_any_text_is_either_read_or_refused(text: str) -> None:
    assert is_allowed_postgresql(text) in (True, False)
