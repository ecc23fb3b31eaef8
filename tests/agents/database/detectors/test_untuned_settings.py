"""Settings that do not fit how the statements ran."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfwright.agents.database.artifacts import Access, Cost, DatabaseArtifacts, Observation
from perfwright.agents.database.detectors.untuned_settings import find
from perfwright.agents.database.examples import read, step, write
from perfwright.agents.database.postgresql.knobs import KnobFacts
from perfwright.agents.database.postgresql_examples import looked_at, with_sql
from perfwright.agents.database.server import (
    DatabaseCounters,
    RoleSetting,
    ServerState,
    Setting,
)
from perfwright.core import Finding

SETTINGS = {
    "work_mem": ("4096", "kB"),
    "jit": ("on", ""),
    "random_page_cost": ("4", ""),
    "seq_page_cost": ("1", ""),
    "effective_cache_size": ("524288", "8kB"),
    "join_collapse_limit": ("8", ""),
    "from_collapse_limit": ("8", ""),
    "max_parallel_workers_per_gather": ("2", ""),
}


def ran(
    ms: float = 100.0,
    *,
    temp_pages: float = 0.0,
    jit_functions: float = 0.0,
    workers: float = 0.0,
) -> Observation:
    cost = Cost(
        ms=ms,
        steps=5_000,
        rows=10,
        temp_pages=temp_pages,
        jit_functions=jit_functions,
        workers=workers,
    )
    return replace(read(), cost=cost)


def server(**changed: str) -> ServerState:
    return ServerState(
        database="shop",
        settings=tuple(
            Setting(name=name, value=changed.get(name, value), unit=unit)
            for name, (value, unit) in SETTINGS.items()
        ),
        counters=DatabaseCounters(hit_blocks=1_000_000, read_blocks=10),
    )


def found(artifacts: DatabaseArtifacts) -> dict[str, Finding]:
    return {finding.subject: finding for finding in find(artifacts)}


def test_spilling_reads_want_memory() -> None:
    seen = found(looked_at(server(), ran(temp_pages=2_560.0)))
    assert set(seen) == {"work_mem"}
    assert "20.0MiB" in seen["work_mem"].evidence
    assert "4.0MiB" in seen["work_mem"].evidence
    assert seen["work_mem"].facts == KnobFacts(knobs=("work_mem", "hash_mem_multiplier"))


def test_no_spill_costs_more_than_half_of_its_statement() -> None:
    seen = found(looked_at(server(), ran(ms=1.0, temp_pages=1e6)))
    assert seen["work_mem"].cost == 0.5 * 100


def test_the_memory_that_the_role_has_is_named() -> None:
    own = replace(
        server(), role_settings=(RoleSetting(name="work_mem", value="2MB", database="shop"),)
    )
    assert "2.0MiB" in found(looked_at(own, ran(temp_pages=100.0)))["work_mem"].evidence


@pytest.mark.parametrize(("ms", "fires"), [(30.0, True), (5_000.0, False)])
def test_compiling_counts_where_it_is_a_good_part_of_the_statement(ms: float, fires: bool) -> None:
    assert ("jit" in found(looked_at(server(), ran(ms=ms, jit_functions=20.0)))) is fires


def test_what_is_switched_off_is_no_finding() -> None:
    off = server(jit="off", max_parallel_workers_per_gather="0")
    assert found(looked_at(off, ran(ms=10.0, jit_functions=20.0, workers=2.0))) == {}


@pytest.mark.parametrize(("ms", "fires"), [(12.0, True), (900.0, False)])
def test_workers_count_where_starting_them_is_a_good_part(ms: float, fires: bool) -> None:
    seen = found(looked_at(server(), ran(ms=ms, workers=2.0)))
    assert ("max_parallel_workers_per_gather" in seen) is fires


def scanning() -> Observation:
    return replace(ran(), plan=(step("scan", removed=50_000.0),))


def test_scans_over_cached_pages_want_cheaper_lookups() -> None:
    (finding,) = find(looked_at(server(), scanning()))
    assert finding.facts == KnobFacts(knobs=("random_page_cost",))
    assert finding.evidence.startswith("100.0% of 1000010 blocks were in memory")


def test_a_cache_that_is_taken_for_smaller_than_the_database_is_searched_besides() -> None:
    small = server(effective_cache_size="1024")
    (finding,) = find(looked_at(small, scanning()))
    assert finding.facts == KnobFacts(knobs=("random_page_cost", "effective_cache_size"))


@pytest.mark.parametrize(
    "counters",
    [
        None,
        DatabaseCounters(hit_blocks=500, read_blocks=0),
        DatabaseCounters(hit_blocks=1_000_000, read_blocks=200_000),
    ],
)
def test_pages_that_are_not_known_to_be_cached_prove_nothing(
    counters: DatabaseCounters | None,
) -> None:
    assert found(looked_at(replace(server(), counters=counters), scanning())) == {}


def test_costs_for_fast_disks_are_left_alone() -> None:
    assert found(looked_at(server(random_page_cost="1.1"), scanning())) == {}


def test_statements_that_join_more_tables_than_the_limit_are_found() -> None:
    joined = replace(
        ran(), accesses=tuple(Access(table="orders", alias=f"o{i}") for i in range(10))
    )
    seen = found(looked_at(server(from_collapse_limit="12"), joined))
    assert set(seen) == {"join_collapse_limit"}
    assert "up to 10 tables" in seen["join_collapse_limit"].evidence


def test_writes_and_light_reads_say_nothing() -> None:
    light = replace(ran(ms=0.01, temp_pages=5.0), cost=Cost(ms=0.01, steps=3, rows=1))
    assert found(looked_at(server(), write(), with_sql(light, "SELECT 1"))) == {}


def test_the_evidence_is_not_hidden_by_the_masking_of_reports() -> None:
    from perfwright.report.masking import mask_prose

    strained = replace(scanning(), cost=ran(30.0, temp_pages=9, jit_functions=9, workers=2).cost)
    findings = list(find(looked_at(server(), strained)))
    assert len(findings) == 4
    assert [mask_prose(f.evidence) for f in findings] == [f.evidence for f in findings]
