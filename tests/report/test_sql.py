from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from perfwright.report import kept_sql, undo_sql
from perfwright.report.sql import terminated
from tests.report import records

SCHEMA = """
CREATE TABLE reviews (product_id, created_at, state);
CREATE TABLE orders (customer_id, placed_at);
CREATE TABLE t (a);
CREATE TABLE users (id);
"""


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    return connection


def names(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}


def test_only_what_was_kept_is_written() -> None:
    script = kept_sql(records.full_run())
    assert "CREATE INDEX reviews_product_created" in script
    assert "stock_moves_all" not in script
    assert "mmap_size" not in script


def test_the_script_runs_as_it_is() -> None:
    connection = database()
    connection.executescript(kept_sql(records.full_run()))
    assert names(connection) >= {"reviews_product_created", "orders_customer"}


def test_undo_takes_back_what_the_script_made() -> None:
    connection = database()
    before = names(connection)
    connection.executescript(kept_sql(records.full_run()))
    connection.executescript(undo_sql(records.full_run()))
    assert names(connection) == before


def test_undo_goes_backwards() -> None:
    script = undo_sql(records.full_run())
    assert script.index("orders_customer") < script.index("reviews_product_created")


def test_the_measured_effect_stands_above_each_change() -> None:
    script = kept_sql(records.full_run())
    assert "-- elapsed -71.7 % (-72.5 to -70.8 %; 99.37 % interval, 22 pairs)" in script


def test_the_condition_of_a_partial_index_is_not_masked() -> None:
    assert "WHERE state = 'published';" in kept_sql(records.full_run())


def test_a_name_cannot_break_out_of_its_comment() -> None:
    run = records.hostile_run()  # its summary goes on with DROP TABLE users on a line of its own
    first = run.experiments[0]
    harmless = replace(first.proposal.change, apply=("ANALYZE",))
    first = replace(first, proposal=replace(first.proposal, change=harmless))
    connection = database()
    connection.executescript(kept_sql(replace(run, experiments=(first,))))
    assert "users" in names(connection)


def test_a_run_that_kept_nothing_says_so() -> None:
    assert kept_sql(records.empty_run()).endswith("-- Nothing was kept.\n")


def test_a_change_that_is_not_sql_is_named_and_not_written() -> None:
    run = records.full_run()
    first = run.experiments[0]
    patch = replace(first.proposal.change, kind="source-patch", apply=("--- a/x.py",))
    changed = replace(first, proposal=replace(first.proposal, change=patch))
    script = kept_sql(replace(run, experiments=(changed,)))
    assert "-- not SQL (source-patch): use perfwright apply and undo" in script
    assert "x.py" not in script


@pytest.mark.parametrize(
    ("statement", "ended"),
    [
        ("ANALYZE", "ANALYZE;"),
        ("ANALYZE ;\n", "ANALYZE ;"),
        ("ANALYZE -- all;", "ANALYZE -- all;\n;"),
    ],
)
def test_every_statement_ends(statement: str, ended: str) -> None:
    assert terminated(statement) == ended
