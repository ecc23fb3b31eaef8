"""Extended statistics on a real server."""

from __future__ import annotations

from typing import Any

import psycopg

from perfwright.agents.database.postgresql.probes.catalog import read_catalog
from perfwright.agents.database.postgresql.probes.connection import open_database
from perfwright.agents.database.remedies.extended_statistics import statistics_on
from tests.postgresql import run

QUESTION = "EXPLAIN (FORMAT JSON) SELECT * FROM place WHERE city = 7 AND country = 7"


def expected_rows(connection: psycopg.Connection[Any]) -> float:
    row = connection.execute(QUESTION).fetchone()
    assert row is not None
    return float(row[0][0]["Plan"]["Plan Rows"])


def test_the_planner_learns_what_occurs_together_until_it_is_taken_back(database: str) -> None:
    run(
        database,
        "CREATE TABLE place (id int, city int, country int)",
        "INSERT INTO place SELECT i, i % 100, i % 100 FROM generate_series(1, 20000) i",
        "ANALYZE place",
    )
    connection = open_database(database)
    try:
        before = expected_rows(connection)
        table = read_catalog(connection).table("place")
        assert table is not None
        change = statistics_on(table, ("city", "country"))
        for statement in (*change.apply, *change.apply):  # making it twice is making it once
            connection.execute(statement.encode())
        (made,) = read_catalog(connection).extended_statistics
        assert (made.columns, set(made.kinds)) == (
            ("city", "country"),
            {"ndistinct", "dependencies", "mcv"},
        )
        assert before < 10
        assert 100 < expected_rows(connection) < 400
        for statement in change.revert:
            connection.execute(statement.encode())
        assert read_catalog(connection).extended_statistics == ()
    finally:
        connection.close()
