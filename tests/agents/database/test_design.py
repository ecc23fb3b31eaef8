"""Index changes, and that taking one back leaves no trace."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfwright.agents.database.design import (
    MAX_NAME,
    DesignKey,
    IndexDesign,
    analysis,
    creation,
    recreation,
    removal,
)
from perfwright.agents.database.examples import index
from perfwright.agents.database.naming import quote
from perfwright.core import ChangeSpec
from perfwright.experiments.changes import SqliteChange
from tests.agents.database.sqlite_databases import catalog_of, logical_state, make_shop

INDEXES = '''
create index "by ""state""" on orders(state, placed desc);
create index partial_one on orders ( placed )  WHERE state = 'open';
CREATE  INDEX  IF NOT EXISTS lowered ON customer(lower(name));
'''


def design(*columns: str, table: str = "orders", where: tuple[str, ...] = ()) -> IndexDesign:
    keys = tuple(DesignKey(text=quote(c), column=c) for c in columns)
    return IndexDesign(table=table, keys=keys, where=where)


def make(tmp_path: Path, *, analyzed: bool = True) -> Path:
    path = tmp_path / "design.db"
    path.unlink(missing_ok=True)
    return make_shop(path, extra=INDEXES, analyzed=analyzed)


def assert_leaves_no_trace(path: Path, change: ChangeSpec) -> None:
    before = logical_state(path)
    bound = SqliteChange(path, change)
    bound.apply()
    during = logical_state(path)
    bound.apply()
    assert logical_state(path) == during  # idempotent
    bound.revert()
    assert logical_state(path) == before
    bound.revert()
    assert logical_state(path) == before


@pytest.mark.parametrize("analyzed", [True, False])
def test_a_created_index_is_taken_back(tmp_path: Path, analyzed: bool) -> None:
    path = make(tmp_path, analyzed=analyzed)
    change = creation((design("customer_id"), design("total", "note")), catalog_of(path))
    assert_leaves_no_trace(path, change)


@pytest.mark.parametrize("analyzed", [True, False])
@pytest.mark.parametrize("name", ['by "state"', "partial_one", "lowered"])
def test_a_dropped_index_comes_back_with_its_statistics(
    tmp_path: Path, name: str, analyzed: bool
) -> None:
    path = make(tmp_path, analyzed=analyzed)
    catalog = catalog_of(path)
    found = catalog.index(name)
    assert found is not None
    assert_leaves_no_trace(path, removal(found, catalog, reason="test"))


@pytest.mark.parametrize("analyzed", [True, False])
def test_statistics_are_taken_back(tmp_path: Path, analyzed: bool) -> None:
    path = make(tmp_path, analyzed=analyzed)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("delete from orders where id > 100")
        connection.commit()
    assert_leaves_no_trace(path, analysis(("orders", "customer"), catalog_of(path)))


def test_a_new_index_is_analysed_where_there_are_statistics(tmp_path: Path) -> None:
    catalog = catalog_of(make(tmp_path))
    assert any(s.startswith("ANALYZE") for s in creation((design("note"),), catalog).apply)


def test_no_statistics_are_begun_where_there_are_none(tmp_path: Path) -> None:
    catalog = catalog_of(make(tmp_path, analyzed=False))
    assert not any(s.startswith("ANALYZE") for s in creation((design("note"),), catalog).apply)


def test_the_original_words_survive(tmp_path: Path) -> None:
    path = make(tmp_path)
    found = catalog_of(path).index("partial_one")
    assert found is not None
    assert recreation(found).endswith("partial_one on orders ( placed )  WHERE state = 'open'")


def test_a_unique_index_stays_unique_when_it_is_made_anew() -> None:
    assert recreation(index("u", "customer", unique=True)).startswith("CREATE UNIQUE INDEX IF NOT")


@given(
    table=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    columns=st.lists(st.text(min_size=1), min_size=1, max_size=5),
)
def test_names_are_short_and_plain(table: str, columns: list[str]) -> None:
    name = design(*columns, table=table).name
    assert len(name) <= MAX_NAME
    assert name.startswith("pw_")
    assert name.replace("_", "a").isalnum()


def test_names_differ_where_definitions_do() -> None:
    one, two = design("placed"), design("placed", where=("state = 'open'",))
    assert one.name != two.name
    assert one.name == design("placed").name


NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=NAMES, columns=st.lists(NAMES, min_size=1, max_size=3, unique_by=str.casefold))
def test_any_names_can_be_created_dropped_and_brought_back(
    tmp_path: Path, table: str, columns: list[str]
) -> None:
    path = tmp_path / "names.db"
    path.unlink(missing_ok=True)
    if table.casefold().startswith("sqlite_"):
        table = f"t{table}"
    listed = ", ".join(map(quote, columns))
    with closing(sqlite3.connect(path)) as connection:
        try:
            connection.execute(f"create table {quote(table)}({listed})")
        except sqlite3.OperationalError:  # two names that SQLite folds into one
            return
        connection.execute("analyze")
        connection.commit()
    catalog = catalog_of(path)
    made = creation((design(*columns, table=table),), catalog)
    assert_leaves_no_trace(path, made)
    SqliteChange(path, made).apply()
    after = catalog_of(path)
    (found,) = after.indexes
    assert_leaves_no_trace(path, removal(found, after, reason="test"))
