"""Statistics that describe another size."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.catalog import StatisticsRow, Table, TableActivity
from perfwright.agents.database.detectors.stale_statistics import find
from perfwright.agents.database.examples import artifacts, index
from perfwright.agents.database.postgresql_examples import looked_at, pg_table
from perfwright.agents.database.remedies.fresh_statistics import propose


def seen(*rows: StatisticsRow, never: bool = False) -> DatabaseArtifacts:
    base = artifacts(indexes=(index("i", "customer"),))
    return replace(base, catalog=replace(base.catalog, statistics=None if never else rows))


def test_it_is_silent_right_after_analyze() -> None:
    fresh = StatisticsRow(table="orders", index="i", stat="10000 3")
    assert list(find(seen(fresh))) == []


def test_it_fires_when_analyze_never_ran() -> None:
    (finding,) = find(seen(never=True))
    assert finding.evidence == "ANALYZE never ran"


def test_a_table_that_halved_is_stale() -> None:
    old = StatisticsRow(table="orders", index="i", stat="20001 3")
    assert len(list(find(seen(old)))) == 1


def test_a_table_without_indexes_does_not_matter() -> None:
    assert list(find(artifacts())) == []


def on_postgres(*tables: Table) -> list[str]:
    return [finding.evidence for finding in find(looked_at(tables=tables))]


def test_a_table_just_analysed_is_silent_however_much_was_written_before() -> None:
    assert on_postgres(pg_table(activity=TableActivity(inserted=10**9, modified_rows=0))) == []


def test_a_quarter_of_changed_rows_is_stale() -> None:
    stale = pg_table(activity=TableActivity(modified_rows=30_000))
    assert len(on_postgres(stale)) == 1


def test_what_automatic_analyze_will_see_to_is_silent() -> None:
    assert on_postgres(pg_table(activity=TableActivity(modified_rows=12_000))) == []


def test_a_partitioned_table_needs_analyze_by_hand() -> None:
    whole = replace(pg_table(activity=TableActivity(analyzed=False)), partitioned=True)
    (evidence,) = on_postgres(whole)
    assert "by hand only" in evidence


def test_the_remedy_analyses_the_table_and_needs_no_inverse() -> None:
    seen_there = looked_at(tables=(pg_table(activity=TableActivity(analyzed=False)),))
    (proposal,) = propose(seen_there, tuple(find(seen_there)))
    assert proposal.change.apply == ('ANALYZE "public"."orders"',)
    assert proposal.change.revert == ()
