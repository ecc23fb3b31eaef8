"""What PostgreSQL's statistics and its own words say about constant conditions."""

from __future__ import annotations

import pytest

from perfwright.agents.database.catalog import Column, ColumnStatistics
from perfwright.agents.database.constants import (
    canonical,
    fixed_columns,
    is_lasting,
    share_of,
)
from perfwright.agents.database.examples import postgres_table

STATE = ColumnStatistics(
    null_share=0.1, distinct=12, common=(("open", 0.2), ("shut", 0.6)), width_bytes=5
)
TABLE = postgres_table(
    "ticket",
    Column(name="state", type="text", statistics=STATE),
    Column(
        name="done",
        type="boolean",
        statistics=ColumnStatistics(distinct=2, common=(("t", 0.95), ("f", 0.05))),
    ),
    Column(name="left_at", type="date", statistics=ColumnStatistics(null_share=0.97, distinct=50)),
    Column(name="unknown", type="text"),
)


@pytest.mark.parametrize(
    ("condition", "share"),
    [
        ("state = 'open'", 0.2),
        ("\"state\" = 'open'", 0.2),
        ("state = 'rare'", 0.01),  # of the other ten, which share a tenth
        ("state <> 'shut'", 0.3),
        ("state IN ('open', 'shut')", 0.8),
        ("state NOT IN ('open', 'shut')", 0.1),
        ("state = 'open' AND done", 0.2),
        ("state = 'open' OR state = 'shut'", 0.8),
        ("done", 0.95),
        ("NOT done", 0.05),
        ("done = false", 0.05),
        ("done IS FALSE", 0.05),
        ("left_at IS NULL", 0.97),
        ("left_at IS NOT NULL", 0.03),
    ],
)
def test_the_share_of_a_condition_is_estimated(condition: str, share: float) -> None:
    assert share_of(condition, TABLE) == pytest.approx(share)


@pytest.mark.parametrize(
    "condition",
    ["unknown = 'x'", "state > 'a'", "lower(state) = 'open'", "no sql at all ((", "x = 1"],
)
def test_what_the_statistics_do_not_tell_is_unknown(condition: str) -> None:
    assert share_of(condition, TABLE) is None


def test_a_value_that_was_never_seen_leaves_nothing() -> None:
    assert share_of("done = 'maybe'", TABLE) == 0.0


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("status = 'open'", "((status)::text = 'open'::text)"),
        ("status IN ('a','b')", "(status = ANY (ARRAY['a'::text, 'b'::text]))"),
        (
            "status NOT IN ('a','b')",
            "((status)::text <> ALL "
            "((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
        ),
        ("lower(email)", "lower((email)::text)"),
        ("kind = 'a' AND NOT done", "(kind = 'a'::text) AND (NOT done)"),
        ("data->>'x'", "(data ->> 'x'::text)"),
        ("to_tsvector('english', body)", "to_tsvector('english'::regconfig, body)"),
        ("a BETWEEN 1 AND 2", "((a >= 1) AND (a <= 2))"),
        ("n = -1", "n = '-1'::integer"),
        ("\"Name\" LIKE 'a%'", "\"Name\" ~~ 'a%'::text"),
        ("left_at IS NOT NULL", "(left_at IS NOT NULL)"),
        ("\"status\" = 'x'", "status = 'x'::status_type"),
        ("(at AT TIME ZONE 'UTC')::date", "(timezone('UTC'::text, at))::date"),
    ],
)
def test_what_postgresql_shows_is_what_was_written(written: str, shown: str) -> None:
    assert canonical(written) == canonical(shown)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("status = 'open'", "status = 'shut'"),
        ("(at)::date", "(at)::time"),
        ("(at)::date", "at"),
        ('"Name"', "name"),
        ("done", "NOT done"),
        ("a IS NULL", "a IS NOT NULL"),
    ],
)
def test_what_differs_stays_different(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize(
    ("condition", "columns"),
    [
        ("state = 'in progress'", {"state"}),
        ("left_at IS NULL AND done", {"left_at", "done"}),
        ("NOT done", {"done"}),
        ("left_at IS NOT NULL", set()),
        ("state IN ('a', 'b')", set()),
        ("at > '2024-01-01'", set()),
        ("((", set()),
    ],
)
def test_one_value_is_told_from_several(condition: str, columns: set[str]) -> None:
    assert fixed_columns(condition) == columns


@pytest.mark.parametrize(
    ("condition", "lasting"),
    [
        ("state = 'open'", True),
        ("left_at IS NULL", True),
        ("left_at IS NOT NULL", True),
        ("left_at > '2024-11-20'", False),
        ("left_at = '2024-11-20' AND done", False),
        ("unknown < now()", False),
        ("unknown < current_date", False),
    ],
)
def test_a_point_in_time_does_not_last(condition: str, lasting: bool) -> None:
    assert is_lasting(condition, TABLE) is lasting
