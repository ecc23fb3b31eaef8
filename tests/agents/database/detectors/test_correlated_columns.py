"""Columns that depend on each other."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, PlanStep, Term
from perfwright.agents.database.catalog import ExtendedStatistics, TableActivity
from perfwright.agents.database.detectors.correlated_columns import find
from perfwright.agents.database.examples import read
from perfwright.agents.database.facts import CorrelationFacts
from perfwright.agents.database.postgresql_examples import looked_at, pg_table
from perfwright.agents.database.remedies.extended_statistics import propose


def seen(
    *columns: str,
    expected: float = 1.0,
    rows: float = 9_000.0,
    activity: TableActivity | None = None,
    known: tuple[ExtendedStatistics, ...] = (),
) -> DatabaseArtifacts:
    step = PlanStep(detail="", table="o", action="scan", expected_rows=expected, rows=rows)
    terms = tuple(Term(key=c, column=c, operator="=") for c in columns)
    access = Access(table="orders", alias="o", terms=terms)
    made = looked_at(None, read(access, plan=(step,)), tables=(pg_table(activity=activity),))
    return replace(made, catalog=replace(made.catalog, extended_statistics=known))


def test_one_column_cannot_depend_on_another() -> None:
    assert list(find(seen("state"))) == []


def test_too_few_rows_may_be_the_work_of_a_limit() -> None:
    assert list(find(seen("state", "customer", expected=9_000.0, rows=1.0))) == []


def test_statistics_that_are_there_are_not_made_again() -> None:
    known = ExtendedStatistics(
        name="s", table="orders", columns=("state", "customer"), kinds=("mcv",)
    )
    assert list(find(seen("state", "customer", known=(known,)))) == []


def test_a_table_that_changed_since_needs_analyze_first() -> None:
    activity = TableActivity(live_rows=100_000, modified_rows=50_000)
    assert list(find(seen("state", "customer", activity=activity))) == []


def test_the_columns_are_told_in_a_fixed_order() -> None:
    (finding,) = find(seen("state", "customer"))
    assert finding.facts == CorrelationFacts(table="orders", columns=("customer", "state"))


def test_the_remedy_names_table_and_columns_in_full() -> None:
    artifacts = seen("state", "customer")
    (proposal,) = propose(artifacts, tuple(find(artifacts)))
    create, analyze = proposal.change.apply
    assert create.startswith('CREATE STATISTICS IF NOT EXISTS "public"."pw_statistics_')
    assert create.endswith('ON "customer", "state" FROM "public"."orders"')
    assert analyze == 'ANALYZE "public"."orders"'
    assert proposal.change.revert[0].startswith('DROP STATISTICS IF EXISTS "public"."pw_')


def test_nothing_is_proposed_on_a_replica() -> None:
    artifacts = seen("state", "customer")
    replica = replace(artifacts, catalog=replace(artifacts.catalog, is_replica=True))
    assert list(propose(replica, tuple(find(artifacts)))) == []
