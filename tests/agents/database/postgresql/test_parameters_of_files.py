"""Parameters of a workload file as the server takes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database import DatabasePerformanceAgent
from perfwright.agents.database.artifacts import Sample
from perfwright.agents.database.postgresql.probes.observation import literal_samples
from tests.postgresql import connected, new_database


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([], []),
        ([1, None], [1, None]),
    ],
)
def test_a_list_is_an_array(database: str, given: list[object], seen: list[object]) -> None:
    sample = Sample(sql="SELECT $1::int[]", parameters=(given,), weight=1.0)
    with connected(database) as connection:
        (literal,) = literal_samples((sample,), connection)
        assert connection.execute(literal.sql.encode()).fetchone() == (seen,)


@pytest.mark.parametrize("text", ["a", "a,b", 'say "x"', "back\\slash", "NULL", "it's", "{}", ""])
def test_the_texts_of_a_list_stay_as_they_are(database: str, text: str) -> None:
    sample = Sample(sql="SELECT $1::text[]", parameters=([text],), weight=1.0)
    with connected(database) as connection:
        (literal,) = literal_samples((sample,), connection)
        assert connection.execute(literal.sql.encode()).fetchone() == ([text],)


def test_lists_of_lists_are_arrays_of_two_dimensions(database: str) -> None:
    sample = Sample(sql="SELECT $1::int[]", parameters=([[1, 2], [3, 4]],), weight=1.0)
    with connected(database) as connection:
        (literal,) = literal_samples((sample,), connection)
        assert connection.execute(literal.sql.encode()).fetchone() == ([[1, 2], [3, 4]],)


def test_a_percent_sign_in_a_string_is_no_parameter(database: str) -> None:
    sample = Sample(sql="SELECT $1::int, '%s%'", parameters=(3,), weight=1.0)
    with connected(database) as connection:
        (literal,) = literal_samples((sample,), connection)
        assert connection.execute(literal.sql.encode()).fetchone() == (3, "%s%")


@pytest.fixture(scope="module")
def shop(server: PrivateServer) -> Iterator[str]:
    with new_database(
        server,
        "CREATE TABLE orders (id int PRIMARY KEY, customer int, doc jsonb, tags int[])",
        "INSERT INTO orders SELECT g, g % 50, '{\"k\": 1}', ARRAY[g, 2] "
        "FROM generate_series(1, 500) g",
        "ANALYZE",
    ) as url:
        yield url


def problems(url: str, folder: Path, *lines: dict[str, object]) -> tuple[list[str], list[str]]:
    """Examine a workload; returns what stood against statements, and the notes about lines."""
    path = folder / "w.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    agent = DatabasePerformanceAgent(url, workload=path)
    try:
        notes = [note for note in agent.examine().notes if "line " in note]
        workload = agent.artifacts.workload or ()
        return [o.problem for o in workload if o.problem], notes
    finally:
        agent.close()


STYLES = (
    "customer = :a",
    "customer = :name AND id = :name",
    "customer = ?",
    "customer = %s AND doc::text LIKE '%%k%%'",
    "customer = %(c)s",
    "customer = $1",
    "doc ? 'k' AND tags[1:2] = tags[:2] AND customer = ?",
    "doc ?| ARRAY['?', ':x'] AND customer::text = ':a' AND id = :id",
)


def test_statements_without_values_run_with_drawn_ones_in_every_style(
    shop: str, tmp_path: Path
) -> None:
    lines: list[dict[str, object]] = [
        {"sql": f"SELECT id FROM orders WHERE {condition}"} for condition in STYLES
    ]
    assert problems(shop, tmp_path, *lines) == ([], [])


def test_statements_run_with_their_values_in_every_style(shop: str, tmp_path: Path) -> None:
    values: tuple[object, ...] = ({"a": 3}, {"name": 3}, [3], [3], {"c": 3}, [3], [3], {"id": 3})
    lines: list[dict[str, object]] = [
        {"sql": f"SELECT id FROM orders WHERE {condition}", "params": params}
        for condition, params in zip(STYLES, values, strict=True)
    ]
    assert problems(shop, tmp_path, *lines) == ([], [])


def test_lines_whose_values_do_not_fit_are_listed_while_the_others_run(
    shop: str, tmp_path: Path
) -> None:
    found = problems(
        shop,
        tmp_path,
        {"sql": "SELECT id FROM orders WHERE customer = %s", "params": [1]},
        {"sql": "SELECT id FROM orders WHERE customer = %(x)s AND id = 2", "params": {"y": 1}},
        {"sql": "SELECT id FROM orders WHERE customer = ? AND id = :id", "params": [1]},
    )
    assert found == (
        [],
        [
            "workload: line 2: has no value for the parameter x, left out",
            "workload: line 3: has parameters in several styles (?, :name), left out",
        ],
    )
