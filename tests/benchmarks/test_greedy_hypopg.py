"""The reference advisor: what it takes for one statement, and which indexes it considers."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

SCHEMA = {
    "parcel": {"id": "int", "depot": "int", "state": "text", "due": "date"},
    "scan": {"id": "int", "parcel": "int", "at": "timestamp"},
}


@pytest.fixture
def greedy() -> ModuleType:
    return importlib.import_module("greedy_hypopg")


def considered(greedy: ModuleType, sql: str) -> set[str]:
    candidates = greedy.candidates_of(next(greedy.group([sql])), SCHEMA)
    return {one.sql.removeprefix("CREATE INDEX ON ").replace('"', "") for one in candidates}


def test_statements_that_differ_in_literals_are_one_shape(greedy: ModuleType) -> None:
    sent = [f"select 1 from scan where id in ({ids}) and at > '{day}'" for ids, day in SENT]
    (shape,) = greedy.group(sent)
    assert shape.calls == len(SENT)


SENT = (("1", "2026-01-01"), ("2, 3", "it''s"), ("4,5,6", ""))


def test_samples_are_spread_over_the_log(greedy: ModuleType) -> None:
    (shape,) = greedy.group(f"select {number}" for number in range(1, 101))
    assert shape.samples == ["select 1", "select 2", "select 4", "select 8", "select 16"]


def test_equality_stands_before_the_sort_order(greedy: ModuleType) -> None:
    found = considered(greedy, "select id from parcel where depot = 1 order by due desc, id")
    assert "parcel (depot, due DESC, id)" in found


def test_equality_stands_before_a_range(greedy: ModuleType) -> None:
    found = considered(greedy, "select 1 from parcel where due < '2026-01-01' and depot = 1")
    assert {"parcel (depot, due)", "parcel (due)", "parcel (depot)"} <= found
    assert "parcel (due, depot)" not in found


def test_both_sides_of_a_join_are_considered(greedy: ModuleType) -> None:
    found = considered(greedy, "select 1 from parcel p join scan s on s.parcel = p.id")
    assert {"scan (parcel)", "parcel (id)"} <= found


def test_an_unqualified_column_is_put_on_its_table(greedy: ModuleType) -> None:
    found = considered(
        greedy, "select 1 from parcel p join scan s on s.parcel = p.id where depot=1"
    )
    assert "parcel (depot)" in found


def test_columns_of_a_subquery_are_considered(greedy: ModuleType) -> None:
    sql = "select 1 from parcel p where exists (select 1 from scan s where s.parcel = p.id)"
    assert "scan (parcel)" in considered(greedy, sql)


@pytest.mark.parametrize("sql", ["vacuum full parcel verbosely", "select 1 from"])
def test_what_cannot_be_read_has_no_candidates(greedy: ModuleType, sql: str) -> None:
    assert considered(greedy, sql) == set()
