"""Which conditions of an index keep no foreign key's row out."""

from __future__ import annotations

import pytest

from perfwright.experiments.changes.postgresql.protected import filled_columns


@pytest.mark.parametrize(
    ("predicate", "names"),
    [
        ("(a IS NOT NULL)", {"a"}),
        ('((a IS NOT NULL) AND ("B c" IS NOT NULL))', {"a", "B c"}),
        ("(((a IS NOT NULL) AND (b IS NOT NULL)) AND (c IS NOT NULL))", {"a", "b", "c"}),
    ],
)
def test_columns_that_must_have_a_value_are_read(predicate: str, names: set[str]) -> None:
    assert filled_columns(predicate) == frozenset(names)


@pytest.mark.parametrize(
    "predicate",
    [
        "",
        "(a IS NULL)",
        "(a > 3)",
        "((a IS NOT NULL) OR (b IS NOT NULL))",
        "((a IS NOT NULL) AND (b > 3))",
        "((a IS NOT NULL) AND b)",
        "(lower(a) IS NOT NULL)",
        "(a IS NOT NULL) AND",
    ],
)
def test_any_other_condition_is_not_read(predicate: str) -> None:
    assert filled_columns(predicate) is None
