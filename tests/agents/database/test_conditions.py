"""Conditions in the words of EXPLAIN."""

from __future__ import annotations

import pytest

from perfwright.agents.database.conditions import Wrapped, wrapped_columns

CAST, CALL, SUM = "cast", "call", "sum"


@pytest.mark.parametrize(
    ("condition", "wrapped"),
    [
        ("((n)::numeric = 5.5)", [(CAST, "n", "numeric")]),
        ("((\"Odd Name\")::text = '5'::text)", [(CAST, "Odd Name", "text")]),
        ("((o.n)::character varying(9) = 'a'::text)", [(CAST, "n", "character varying(9)")]),
        ("(lower(w) = 'x'::text)", [(CALL, "w", "lower")]),
        ("(lower((w)::text) = ANY ('{a,b}'::text[]))", [(CALL, "w", "lower")]),
        ("(substr(w, 1, 3) = 'abc'::text)", [(CALL, "w", "substr")]),
        ("(((n * 2) >= 5) AND ((n * 2) <= 7))", [(SUM, "n", "*")]),
        ("((w || 'x'::text) = 'ax'::text)", [(SUM, "w", "||")]),
        ("(NOT (hashed SubPlan 1))", []),
        ("((a = 1) AND (b = 2))", []),
        ("((a = 1) OR (b = 2))", []),
        ("(w = ANY ('{a,b}'::text[]))", []),
        ("(w ~~ 'lower(w) = 1'::text)", []),
    ],
)
def test_what_is_wrapped_is_seen(condition: str, wrapped: list[tuple[str, str, str]]) -> None:
    expected = [Wrapped(kind=kind, column=column, by=by) for kind, column, by in wrapped]
    assert list(wrapped_columns(condition)) == expected


def test_the_type_of_a_value_is_no_column() -> None:
    condition = "(date_trunc('day'::text, at) = '2024-01-01'::timestamp without time zone)"
    assert [w.column for w in wrapped_columns(condition)] == ["at"]
