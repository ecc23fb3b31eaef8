"""Values of another type."""

from __future__ import annotations

import pytest

from perfwright.agents.database.detectors.type_mismatch import find
from perfwright.agents.database.postgresql_examples import filtered, looked_at, pg_index, pg_table

TYPES = {
    "number": "integer",
    "code": "character varying(9)",
    "fixed": "character(9)",
    "at": "timestamp with time zone",
    "bare": "integer",
}
INDEXES = tuple(pg_index(f"by_{name}", name) for name in TYPES if name != "bare")


def found(condition: str) -> list[str]:
    seen = looked_at(None, filtered(condition), tables=(pg_table(types=TYPES),), indexes=INDEXES)
    return [finding.evidence for finding in find(seen)]


@pytest.mark.parametrize(
    "condition",
    [
        "((number)::numeric = 5.5)",
        "((number)::text = '5'::text)",
        "((o.number)::double precision >= '5'::double precision)",
        "((fixed)::text = 'x'::text)",
        "((state = 'a'::text) AND ((at)::date = '2024-01-01'::date))",
    ],
)
def test_a_converted_column_is_found(condition: str) -> None:
    assert len(found(condition)) == 1


@pytest.mark.parametrize(
    "condition",
    [
        "((code)::text = 'x'::text)",  # the same in all but name
        "((bare)::numeric = 5.5)",  # no index that it could have used
        "(number = (customer)::integer)",
        "(code ~~ '((number)::numeric = 1)'::text)",  # a value that looks like a condition
        "(number = 5)",
    ],
)
def test_what_loses_no_index_is_not(condition: str) -> None:
    assert found(condition) == []


def test_a_day_of_a_timestamp_becomes_a_range() -> None:
    (evidence,) = found("((at)::date = '2024-01-01'::date)")
    assert "at >= day AND < next day" in evidence


def test_values_are_not_shown() -> None:
    (evidence,) = found("((number)::text = 'secret'::text)")
    assert "secret" not in evidence
