"""Lines of EXPLAIN QUERY PLAN."""

from __future__ import annotations

import pytest

from perfwright.agents.database.artifacts import PlanStep
from perfwright.agents.database.sqlite.probes.plans import parse_line


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("SCAN t", PlanStep(detail="", table="t", action="scan")),
        ("SCAN TABLE t", PlanStep(detail="", table="t", action="scan")),
        (
            "SEARCH o USING INDEX by_state (state=?)",
            PlanStep(detail="", table="o", index="by_state", action="search"),
        ),
        (
            "SCAN t USING COVERING INDEX i",
            PlanStep(detail="", table="t", index="i", action="scan", covering=True),
        ),
        (
            "SEARCH m USING AUTOMATIC COVERING INDEX (a=?)",
            PlanStep(detail="", table="m", action="search", covering=True, automatic=True),
        ),
        (
            "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)",
            PlanStep(detail="", table="t", action="search"),
        ),
        ("USE TEMP B-TREE FOR ORDER BY", PlanStep(detail="", action="sort")),
        ("COMPOUND QUERY", PlanStep(detail="")),
        ("LEFT-MOST SUBQUERY", PlanStep(detail="")),
    ],
)
def test_a_line_is_understood(detail: str, expected: PlanStep) -> None:
    step = parse_line(detail)
    found = (step.table, step.index, step.action, step.covering, step.automatic)
    assert found == (
        expected.table,
        expected.index,
        expected.action,
        expected.covering,
        expected.automatic,
    )
