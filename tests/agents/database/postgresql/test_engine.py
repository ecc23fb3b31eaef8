"""The agent from end to end on a PostgreSQL server."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database import DatabasePerformanceAgent
from perfwright.agents.database import agent as agent_module
from perfwright.core import (
    Arm,
    ChangeSpec,
    ConfigError,
    Layer,
    Prediction,
    Proposal,
    Risk,
    Scope,
    UnreadableTargetError,
)
from tests.agents.database.postgresql.shop import SCHEMA, write_workload
from tests.postgresql import connected, new_database, run


@pytest.fixture(scope="module")
def shop(server: PrivateServer) -> Iterator[str]:
    with new_database(server, *SCHEMA) as url:
        yield url


@pytest.fixture(scope="module")
def agent(
    shop: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabasePerformanceAgent]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agent_module, "WATCH_S", 0.2)
        workload = write_workload(tmp_path_factory.mktemp("w") / "w.jsonl")
        made = DatabasePerformanceAgent(shop, workload=workload, propose_s=20)
        made.examine()
        yield made
        made.close()


def change(apply: str, *, revert: str = "", kind: str = "postgresql-ddl") -> Proposal:
    return Proposal(
        layer=Layer.DATABASE,
        remedy="user",
        change=ChangeSpec(
            kind=kind, subject="x", apply=(apply,), revert=(revert,) if revert else (), summary="x"
        ),
        predicted=Prediction(metric="workload", ratio=1.0, gain=0.0),
        risk=Risk.LOW,
        scope=Scope.QUICK_WIN,
    )


def test_the_planted_faults_are_found(agent: DatabasePerformanceAgent) -> None:
    from perfwright.agents.database.registry import judge

    found = {(f.detector, f.finding.subject) for f in judge(agent.artifacts)}
    detectors = {detector for detector, _ in found}
    assert {"full-scan", "unindexed-sort", "expression-filter"} <= detectors
    assert ("duplicate-index", "orders_state_copy") in found or (
        "duplicate-index",
        "orders_state",
    ) in found
    assert ("unused-index", "orders_seen") in found


def test_what_was_seen_survives_pickling(agent: DatabasePerformanceAgent) -> None:
    again = pickle.loads(pickle.dumps(agent))
    assert again.artifacts == agent.artifacts


def test_proposals_say_what_a_trial_build_saw(agent: DatabasePerformanceAgent) -> None:
    proposals = agent.propose(scope=Scope.QUICK_WIN)
    summaries = [proposal.change.summary for proposal in proposals]
    assert any("orders(customer_id" in summary for summary in summaries)
    assert any("lower(mail)" in summary for summary in summaries)
    assert any("drop index orders_seen" in summary for summary in summaries)
    assert all("trial build" in p.predicted.basis for p in proposals)


def test_equal_arms_do_the_same_work(agent: DatabasePerformanceAgent) -> None:
    bench = agent.bench(None)
    try:
        assert bench.count(Arm.A) == bench.count(Arm.B)
        assert all(guard.passed for guard in bench.check())
        assert bench.measure(Arm.A)["workload"] > 0
    finally:
        bench.close()


def test_an_index_lowers_the_pages_of_its_arm_only(agent: DatabasePerformanceAgent) -> None:
    bench = agent.bench(change("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders (customer_id)"))
    try:
        before, after = bench.count(Arm.A), bench.count(Arm.B)
        assert after["read_pages"] < before["read_pages"] / 5
        assert after["index_bytes"] > before["index_bytes"]
    finally:
        bench.close()


def test_dropping_an_index_on_an_updated_column_makes_the_updates_cheaper(
    agent: DatabasePerformanceAgent,
) -> None:
    bench = agent.bench(change("DROP INDEX CONCURRENTLY IF EXISTS orders_seen"))
    try:
        assert bench.count(Arm.B)["write_pages"] < bench.count(Arm.A)["write_pages"]
    finally:
        bench.close()


def test_a_setting_is_measured_in_the_session_of_one_arm(agent: DatabasePerformanceAgent) -> None:
    setting = change(
        "ALTER ROLE app SET random_page_cost = 1000000",
        revert="ALTER ROLE app RESET random_page_cost",
        kind="postgresql-setting",
    )
    bench = agent.bench(setting)
    try:
        assert bench.count(Arm.A)["index_bytes"] == bench.count(Arm.B)["index_bytes"]
        assert bench.count(Arm.A) != bench.count(Arm.B)
    finally:
        bench.close()


def test_what_was_kept_is_in_both_arms_of_the_next_bench(shop: str, tmp_path: Path) -> None:
    agent = DatabasePerformanceAgent(shop, workload=write_workload(tmp_path / "w.jsonl"))
    try:
        kept = change("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders (customer_id)")
        agent.examine()
        agent.keep(kept, effects={"writes": 1.01})
        bench = agent.bench(None)
        with_it = bench.count(Arm.A)["read_pages"]
        bench.close()
        overall = agent.overall()
        a, b = overall.count(Arm.A)["read_pages"], overall.count(Arm.B)["read_pages"]
        overall.close()
    finally:
        agent.close()
    assert b == pytest.approx(with_it, rel=0.02)
    assert a > 5 * b


def test_the_target_is_not_touched(agent: DatabasePerformanceAgent, shop: str) -> None:
    with connected(shop) as connection:
        indexes = connection.execute(
            "select count(*) from pg_indexes where schemaname = 'public'"
        ).fetchone()
        rows = connection.execute("select count(*) from orders").fetchone()
    assert (indexes, rows) == ((6,), (30000,))


def test_a_read_only_role_is_enough(shop: str, tmp_path: Path) -> None:
    run(
        shop,
        "create role looker login",
        "grant select on all tables in schema public to looker",
    )
    workload = write_workload(tmp_path / "w.jsonl")
    agent = DatabasePerformanceAgent(
        shop.replace("//postgres@", "//looker@"), workload=workload, propose_s=10
    )
    try:
        profile = agent.examine()
        summary = agent.artifacts.workload or ()
    finally:
        agent.close()
        run(shop, "drop owned by looker", "drop role looker")
    assert profile.findings
    assert all(o.cost is not None for o in summary)
    assert any("GRANT" in note or "pg_monitor" in note for note in profile.notes)


def test_a_role_that_may_read_no_table_is_told_what_would_let_it(shop: str, tmp_path: Path) -> None:
    run(shop, "create role stranger login")
    agent = DatabasePerformanceAgent(
        shop.replace("//postgres@", "//stranger@"), workload=write_workload(tmp_path / "w.jsonl")
    )
    try:
        notes = agent.examine().notes
    finally:
        agent.close()
        run(shop, "drop role stranger")
    (note,) = (n for n in notes if "without a copy" in n)
    assert "may read none of the tables" in note
    assert 'TO "stranger"' in note


def test_a_workload_for_another_database_is_refused(shop: str, tmp_path: Path) -> None:
    workload = write_workload(tmp_path / "w.jsonl", ["select * from elsewhere where id = 1"])
    agent = DatabasePerformanceAgent(shop, workload=workload)
    with pytest.raises(ConfigError, match="elsewhere"):
        agent.examine()
    agent.close()


def test_a_server_that_does_not_answer_is_a_clear_error() -> None:
    agent = DatabasePerformanceAgent("postgresql://postgres@127.0.0.1:1/none")
    with pytest.raises(UnreadableTargetError, match="check host and port"):
        agent.examine()


def test_what_stops_a_system_is_noted_first(server: PrivateServer, tmp_path: Path) -> None:
    statements = (
        "create table item(id serial primary key, name text)",
        "insert into item(name) select 'x' from generate_series(1, 100)",
        "select setval('item_id_seq', 2147483000)",
        "analyze",
    )
    with new_database(server, *statements) as url:
        workload = write_workload(tmp_path / "w.jsonl", ["select name from item where id = 1"])
        agent = DatabasePerformanceAgent(url, workload=workload, watch_s=0)
        try:
            notes = agent.examine().notes
        finally:
            agent.close()
    assert notes[0].startswith("danger (sequence-exhaustion): ")
