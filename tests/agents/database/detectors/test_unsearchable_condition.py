"""Words that no index answers."""

from __future__ import annotations

import pytest

from perfwright.agents.database.artifacts import Observation
from perfwright.agents.database.detectors.unsearchable_condition import find
from perfwright.agents.database.postgresql_examples import filtered, looked_at, pg_index, with_sql

INDEXES = (pg_index("by_placed", "placed"), pg_index("by_customer", "customer"))


def found(observation: Observation) -> list[str]:
    return [finding.evidence for finding in find(looked_at(None, observation, indexes=INDEXES))]


@pytest.mark.parametrize(
    ("condition", "advice"),
    [
        ("(date_trunc('day'::text, placed) = '2024-01-01'::timestamp)", "placed >= start"),
        ("(EXTRACT(year FROM placed) = '2024'::numeric)", "placed >= start"),
        ("(date_part('year'::text, o.placed) = 2024.0)", "placed >= start"),
        ("(to_char(placed, 'YYYY'::text) = '2024'::text)", "placed >= start"),
        ("((customer + 0) = 5)", "other side"),
        ("(COALESCE(customer, 0) = 5)", "customer IS NULL"),
        ("(abs(customer) = 5)", "index the expression"),
        ("(lower((customer)::text) = 'x'::text)", "index the expression"),
    ],
)
def test_a_computed_column_is_found_with_other_words_for_it(condition: str, advice: str) -> None:
    (evidence,) = found(filtered(condition))
    assert advice in evidence


def test_a_function_of_a_column_without_an_index_loses_nothing() -> None:
    assert found(filtered("(lower(state) = 'x'::text)")) == []


def test_a_calculation_on_the_other_side_is_fine() -> None:
    assert found(filtered("(customer = (state + 1))")) == []


def test_not_in_with_a_subquery_is_found() -> None:
    (evidence,) = found(filtered("(NOT (hashed SubPlan 1))"))
    assert "NOT EXISTS can" in evidence
    assert "again for each row" not in evidence


def test_a_subquery_that_runs_for_each_row_is_told_apart() -> None:
    (evidence,) = found(filtered("(NOT (SubPlan 1))"))
    assert "again for each row" in evidence


def test_the_form_of_newer_servers_is_understood() -> None:
    (evidence,) = found(filtered("(NOT (ANY (customer = (hashed SubPlan 1).col1)))"))
    assert "NOT IN" in evidence


def test_a_far_page_is_found() -> None:
    page = with_sql(filtered("(id > 0)"), "select * from orders order by id limit 10 offset 50000")
    (evidence,) = found(page)
    assert "OFFSET 50000" in evidence


def test_a_near_page_is_fine() -> None:
    page = with_sql(filtered("(id > 0)"), "select * from orders order by id limit 10 offset 20")
    assert found(page) == []
