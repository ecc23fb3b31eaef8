"""The agent from end to end, on a small shop."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from perfwright.agents.database import DatabasePerformanceAgent
from perfwright.agents.database.sqlite.engine import SqliteEngine
from perfwright.core import (
    Arm,
    ConfigError,
    Layer,
    Prediction,
    Proposal,
    Risk,
    Scope,
    TargetError,
    UnknownTargetError,
)
from perfwright.experiments.changes import spec_from_sql
from tests.agents.database.sqlite_databases import logical_state, make_shop, write_workload


def kept_folder(agent: DatabasePerformanceAgent) -> Path | None:
    assert isinstance(agent._engine, SqliteEngine)
    return agent._engine._folder


def folder_of(agent: DatabasePerformanceAgent) -> Path:
    folder = kept_folder(agent)
    assert folder is not None
    return folder


DECOYS = """
create index log_kind on log(kind);
create index orders_state on orders(state);
create index orders_state_copy on orders(state);
create index line_of_order on line(order_id);
"""
READS = [
    *(
        f"select id, total from orders where customer_id = {i} order by placed desc"
        for i in range(40)
    ),
    *("select id from orders where state = 'open' order by placed, id limit 5" for _ in range(40)),
    *(f"select id from customer where lower(name) = 'name {i}'" for i in range(40)),
    "select count(*) from log where body = 'x'",
]
WRITES = [
    *(f"insert into log(kind, body) values ('k', 'row {i}')" for i in range(30)),
    *("insert into log(kind, body) values (...)" for _ in range(30)),
    *(f"update orders set total = {i} where id = {i}" for i in range(30)),
]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[DatabasePerformanceAgent]:
    shop = make_shop(tmp_path / "shop.db", extra=DECOYS)
    workload = write_workload(tmp_path / "w.jsonl", [*READS, *WRITES])
    agent = DatabasePerformanceAgent(f"sqlite:///{shop}", workload=workload, propose_s=10.0)
    yield agent
    agent.close()


def user_change(agent: DatabasePerformanceAgent, sql: str) -> Proposal:
    return Proposal(
        layer=Layer.DATABASE,
        remedy="user",
        change=spec_from_sql(agent.target.path, sql),
        predicted=Prediction(metric="workload", ratio=1.0, gain=0.0),
        risk=Risk.MEDIUM,
        scope=Scope.QUICK_WIN,
    )


def test_what_is_missing_is_proposed(agent: DatabasePerformanceAgent) -> None:
    made = " ".join(p.change.summary for p in agent.propose(scope=Scope.COMPREHENSIVE))
    assert "create index on orders(customer_id" in made
    assert "lower(name)" in made


def test_what_is_in_the_way_is_dropped(agent: DatabasePerformanceAgent) -> None:
    changes = [p.change for p in agent.propose(scope=Scope.COMPREHENSIVE)]
    dropped = {c.subject for c in changes if c.apply[0].startswith("DROP")}
    assert "log_kind" in dropped
    assert len(dropped & {"orders_state", "orders_state_copy"}) == 1


def test_no_index_is_put_on_a_table_where_unmeasured_writes_dominate(
    agent: DatabasePerformanceAgent,
) -> None:
    changes = [p.change for p in agent.propose(scope=Scope.COMPREHENSIVE)]
    assert not any('ON "log"' in c.apply[0] for c in changes)


def test_looking_and_proposing_leave_the_target_alone(agent: DatabasePerformanceAgent) -> None:
    before = agent.target.path.read_bytes()
    agent.examine()
    agent.propose(scope=Scope.QUICK_WIN)
    assert agent.target.path.read_bytes() == before


def test_a_statement_that_fails_is_told_of(agent: DatabasePerformanceAgent) -> None:
    notes = " ".join(agent.examine().notes)
    assert "30 calls cannot be executed" in notes


def test_a_good_index_lowers_the_counters_of_arm_b(agent: DatabasePerformanceAgent) -> None:
    bench = agent.bench(user_change(agent, "create index i on orders(customer_id)"))
    try:
        before, after = bench.count(Arm.A), bench.count(Arm.B)
        assert after["read_steps"] < before["read_steps"] / 3
        assert after["index_bytes"] > before["index_bytes"]
        assert after["write_pages"] >= before["write_pages"]
    finally:
        bench.close()


def test_counters_are_the_same_for_every_call(agent: DatabasePerformanceAgent) -> None:
    first = agent.bench(None)
    counts = first.count(Arm.A)
    first.close()
    second = agent.bench(None)
    try:
        assert second.count(Arm.A) == counts
        assert second.count(Arm.B) == counts
    finally:
        second.close()


def test_every_metric_is_measured_on_both_arms(agent: DatabasePerformanceAgent) -> None:
    bench = agent.bench(None)
    try:
        for arm in Arm:
            metrics = bench.measure(arm)
            assert metrics[bench.primary] > 0
            assert metrics["workload"] <= metrics["reads"] + metrics["writes"] + 1e-9
            assert all(guard.metric in metrics for guard in bench.guards)
    finally:
        bench.close()


def test_the_same_answers_pass_the_check(agent: DatabasePerformanceAgent) -> None:
    bench = agent.bench(user_change(agent, "create index i on orders(note)"))
    try:
        assert {g.name: g.passed for g in bench.check()} == {"answers": True, "plans": True}
    finally:
        bench.close()


def test_a_plan_that_got_worse_fails_the_check(agent: DatabasePerformanceAgent) -> None:
    bench = agent.bench(user_change(agent, "drop index orders_state; drop index orders_state_copy"))
    try:
        assert {g.name: g.passed for g in bench.check()}["plans"] is False
    finally:
        bench.close()


def test_other_rows_fail_the_check(agent: DatabasePerformanceAgent) -> None:
    bench = agent.bench(None)
    try:
        folder = folder_of(agent)
        with closing(sqlite3.connect(folder / "b.db")) as other:
            other.execute("update orders set total = -1 where customer_id = 3")
            other.commit()
        assert {g.name: g.passed for g in bench.check()}["answers"] is False
    finally:
        bench.close()


def test_a_kept_change_is_in_both_arms(agent: DatabasePerformanceAgent) -> None:
    proposal = user_change(agent, "create index i on orders(customer_id)")
    agent.examine()
    agent.keep(proposal, effects={})
    bench = agent.bench(None)
    try:
        assert bench.count(Arm.A) == bench.count(Arm.B)
        assert bench.count(Arm.A)["read_steps"] < 500_000
    finally:
        bench.close()


def test_a_closed_bench_leaves_the_arm_as_it_was(agent: DatabasePerformanceAgent) -> None:
    agent.examine()
    folder = folder_of(agent)
    bench = agent.bench(user_change(agent, "create index i on orders(customer_id)"))
    bench.measure(Arm.B)
    bench.close()
    bench.close()
    assert logical_state(folder / "b.db") == logical_state(folder / "a.db")


def test_a_bench_that_died_leaves_no_trace_for_the_next(agent: DatabasePerformanceAgent) -> None:
    dead = agent.bench(user_change(agent, "create index i on orders(customer_id)"))
    del dead
    bench = agent.bench(None)
    try:
        assert bench.count(Arm.A) == bench.count(Arm.B)
    finally:
        bench.close()


def test_a_pickled_agent_benches_the_same(agent: DatabasePerformanceAgent) -> None:
    agent.examine()
    bench = pickle.loads(pickle.dumps(agent)).bench(None)
    try:
        assert bench.measure(Arm.A)["workload"] > 0
    finally:
        bench.close()


def test_a_bound_change_changes_the_target(agent: DatabasePerformanceAgent) -> None:
    before = logical_state(agent.target.path)
    change = agent.bind(user_change(agent, "create index i on orders(customer_id)"))
    change.apply()
    assert logical_state(agent.target.path) != before
    change.revert()
    assert logical_state(agent.target.path) == before


def test_closing_removes_the_copies(agent: DatabasePerformanceAgent) -> None:
    agent.examine()
    folder = folder_of(agent)
    agent.close()
    agent.close()
    assert not folder.exists()


def test_a_profile_is_plain_data(agent: DatabasePerformanceAgent) -> None:
    profile = agent.profile()
    findings = profile["findings"]
    assert isinstance(findings, list)
    assert {"id", "detector", "subject", "evidence", "cost", "unit"} <= set(findings[0])


def test_without_a_workload_the_schema_is_judged(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop.db", extra=DECOYS)
    agent = DatabasePerformanceAgent(f"sqlite:///{shop}")
    try:
        profile = agent.examine()
        made = {p.remedy for p in agent.propose(scope=Scope.COMPREHENSIVE)}
    finally:
        agent.close()
    assert "cannot be judged" in " ".join(profile.notes)
    assert made == {"foreign-key-index", "index-removal"}


def test_without_a_workload_nothing_is_measured(tmp_path: Path) -> None:
    agent = DatabasePerformanceAgent(f"sqlite:///{make_shop(tmp_path / 'shop.db')}")
    try:
        with pytest.raises(ConfigError, match="--workload"):
            agent.bench(None)
    finally:
        agent.close()


def test_a_workload_of_another_database_is_refused(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop.db")
    workload = write_workload(tmp_path / "w.jsonl", ["select * from elsewhere"])
    agent = DatabasePerformanceAgent(f"sqlite:///{shop}", workload=workload)
    with pytest.raises(ConfigError, match="no such table: elsewhere"):
        agent.examine()
    assert kept_folder(agent) is None


def test_a_missing_target_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnknownTargetError):
        DatabasePerformanceAgent(f"sqlite:///{tmp_path / 'none.db'}")


def test_another_kind_of_target_is_refused() -> None:
    with pytest.raises(TargetError, match="is no database"):
        DatabasePerformanceAgent("http://127.0.0.1/x")
