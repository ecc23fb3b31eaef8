"""Indexes in no plan."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.artifacts import Access, Observation, PlanStep, Term
from perfwright.agents.database.catalog import Catalog, Index
from perfwright.agents.database.detectors.unused_index import find
from perfwright.agents.database.examples import artifacts, foreign_key, index, read, write
from perfwright.agents.database.postgresql_examples import DAY_S, looked_at, pg_index, pg_table


def found(*indexes: Index) -> list[str]:
    seen = artifacts(
        read(Access(table="orders")), indexes=indexes, foreign_keys=(foreign_key("customer"),)
    )
    return [finding.subject for finding in find(seen)]


def test_an_idle_index_that_supports_a_foreign_key_is_protected() -> None:
    assert found(index("idle", "customer")) == []


def test_of_two_that_support_a_foreign_key_one_may_go() -> None:
    assert found(index("a", "customer"), index("b", "customer")) == ["b"]


def test_an_idle_unique_index_is_protected() -> None:
    assert found(index("idle", "placed", unique=True)) == []


def test_a_table_that_the_workload_never_mentions_says_nothing_about_its_indexes() -> None:
    seen = artifacts(read(Access(table="customers")), indexes=(index("idle", "placed"),))
    assert list(find(seen)) == []


ORDERS = Access(
    table="orders",
    alias="orders",
    terms=(Term(key="placed", column="placed", operator="range"),),
)


def on_postgres(candidate: Index, **of_catalog: object) -> list[str]:
    seen = looked_at(None, read(ORDERS), write("orders"), indexes=(candidate,))
    catalog: Catalog = replace(seen.catalog, **of_catalog)  # type: ignore[arg-type]
    return [finding.subject for finding in find(replace(seen, catalog=catalog))]


def without_workload(candidate: Index, *, days: float, replicas: bool = False) -> list[str]:
    seen = looked_at(None, indexes=(candidate,), statistics_age_s=days * DAY_S)
    catalog = replace(seen.catalog, has_replicas=replicas)
    return [finding.subject for finding in find(replace(seen, catalog=catalog))]


def test_scans_that_the_workload_cannot_have_made_protect_an_index() -> None:
    assert on_postgres(pg_index("idle", "state", scans=3)) == []


def test_scans_that_the_workload_may_have_made_do_not() -> None:
    assert on_postgres(pg_index("idle", "placed", scans=100)) == ["idle"]


def test_more_scans_than_the_workload_has_statements_protect_it() -> None:
    assert on_postgres(pg_index("idle", "placed", scans=100_000)) == []


def test_replicas_make_it_less_sure() -> None:
    seen = looked_at(None, read(ORDERS), indexes=(pg_index("idle", "state"),))
    catalog = replace(seen.catalog, has_replicas=True)
    (finding,) = find(replace(seen, catalog=catalog))
    assert finding.confidence < 0.5
    assert "replicas may use it" in finding.evidence


def test_nothing_is_dropped_on_a_replica() -> None:
    assert on_postgres(pg_index("idle", "state"), is_replica=True) == []


def test_an_invalid_index_is_another_matter() -> None:
    assert on_postgres(replace(pg_index("idle", "state"), valid=False)) == []


def test_replica_identity_and_partitions_protect_an_index() -> None:
    idle = pg_index("idle", "state")
    assert on_postgres(replace(idle, replica_identity=True)) == []
    assert on_postgres(replace(idle, partition_of="whole")) == []
    assert on_postgres(replace(idle, clustered=True)) == []


def test_without_a_workload_a_month_of_counters_decides() -> None:
    assert without_workload(pg_index("idle", "state"), days=31) == ["idle"]


def test_young_counters_say_nothing() -> None:
    assert without_workload(pg_index("idle", "state"), days=20) == []


def test_counters_say_nothing_of_replicas() -> None:
    assert without_workload(pg_index("idle", "state"), days=90, replicas=True) == []


def test_one_scan_in_a_month_is_use() -> None:
    assert without_workload(pg_index("idle", "state", scans=1), days=90) == []


def test_the_index_of_the_whole_is_used_when_that_of_a_partition_is() -> None:
    whole = pg_index("whole", "placed")
    part = replace(pg_index("part", "placed", on="orders_1"), partition_of="whole")
    plan = (PlanStep(detail="", table="orders_1", index="part", action="search"),)
    tables = (
        replace(pg_table(), partitioned=True),
        replace(pg_table("orders_1"), partition_of="orders"),
    )
    seen = looked_at(None, read(ORDERS, plan=plan), tables=tables, indexes=(whole, part))
    assert list(find(seen)) == []


def test_an_index_of_one_partition_is_judged_by_statements_on_the_whole() -> None:
    own = pg_index("own", "state", on="orders_1")
    tables = (
        replace(pg_table(), partitioned=True),
        replace(pg_table("orders_1"), partition_of="orders"),
    )
    seen = looked_at(None, read(ORDERS), tables=tables, indexes=(own,), statistics_age_s=40 * DAY_S)
    assert [finding.subject for finding in find(seen)] == ["own"]


def young(*observations: Observation, name: str = "idle", given: bool = True) -> list[str]:
    seen = looked_at(
        None, *observations, indexes=(pg_index(name, "state"),), statistics_age_s=DAY_S
    )
    return [finding.subject for finding in find(replace(seen, workload_given=given))]


def test_young_counters_and_a_workload_made_of_them_drop_nothing() -> None:
    assert young(read(ORDERS), write("orders"), given=False) == []


def test_a_workload_file_that_writes_the_table_vouches_for_what_is_executed() -> None:
    assert young(read(ORDERS), write("orders")) == ["idle"]


def test_without_writes_there_is_nothing_to_save_on_young_counters() -> None:
    assert young(read(ORDERS)) == []


def test_what_an_earlier_run_proved_outlasts_young_counters() -> None:
    assert young(read(ORDERS), write("orders"), name="pw_orders_state_abc123") == []
