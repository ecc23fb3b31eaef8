"""What every bench promises. A new one is one line in `BENCHES`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database import DatabasePerformanceAgent
from perfwright.core import (
    Arm,
    Bench,
    ChangeSpec,
    Guardrail,
    Layer,
    MetricGuard,
    Prediction,
    Proposal,
    Risk,
    Scope,
)
from perfwright.experiments import CommandBench, CommandRunner
from tests.agents.database.postgresql.shop import SCHEMA, write_workload
from tests.experiments.benches import FakeBench
from tests.postgresql import new_database
from tests.system.shops import make_shop, make_workload


def fake(_: pytest.FixtureRequest) -> Bench:
    return FakeBench(
        ratios={"total": 0.8, "writes": 1.0},
        guards=(MetricGuard(metric="writes", tolerance=0.1),),
        counters={"steps": (100, 50)},
        checks=(Guardrail(name="answers", passed=True, detail="the same"),),
    )


def commands(_: pytest.FixtureRequest) -> Bench:
    return CommandBench(
        a="echo x",
        b="printf 'x\\n'",
        runner=CommandRunner(timeout_s=30.0),
        guards=(MetricGuard(metric="memory", tolerance=0.1),),
        same_output=True,
    )


def index_on(table: str, column: str, *, kind: str) -> Proposal:
    return Proposal(
        layer=Layer.DATABASE,
        remedy="user",
        change=ChangeSpec(
            kind=kind,
            subject="pw_x",
            apply=(f"CREATE INDEX pw_x ON {table}({column})",),
            revert=("DROP INDEX pw_x",),
            summary="x",
        ),
        predicted=Prediction(metric="workload", ratio=1.0, gain=0.0),
        risk=Risk.LOW,
        scope=Scope.QUICK_WIN,
    )


@pytest.fixture(scope="module")
def sqlite_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabasePerformanceAgent]:
    folder = tmp_path_factory.mktemp("sqlite")
    shop = make_shop(folder / "shop.db", rows=500)
    workload = make_workload(folder / "w.jsonl", customers=20)
    agent = DatabasePerformanceAgent(f"sqlite:///{shop}", workload=workload, scratch=folder)
    agent.examine()
    yield agent
    agent.close()


@pytest.fixture(scope="module")
def postgresql_agent(
    server: PrivateServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabasePerformanceAgent]:
    workload = write_workload(tmp_path_factory.mktemp("postgresql") / "w.jsonl")
    with new_database(server, *SCHEMA) as url:
        agent = DatabasePerformanceAgent(url, workload=workload)
        agent.examine()
        yield agent
        agent.close()


def sqlite(request: pytest.FixtureRequest) -> Bench:
    agent: DatabasePerformanceAgent = request.getfixturevalue("sqlite_agent")
    return agent.bench(index_on("orders", "customer", kind="sqlite-ddl"))


def postgresql(request: pytest.FixtureRequest) -> Bench:
    agent: DatabasePerformanceAgent = request.getfixturevalue("postgresql_agent")
    return agent.bench(index_on("customer", "lower(mail)", kind="postgresql-ddl"))


BENCHES: dict[str, Callable[[pytest.FixtureRequest], Bench]] = {
    "a fake": fake,
    "two commands": commands,
    "SQLite": sqlite,
    "PostgreSQL": postgresql,
}


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = BENCHES[request.param](request)
    yield bench
    bench.close()


@pytest.mark.parametrize("arm", Arm)
def test_a_run_returns_the_deciding_metric_with_every_guarded_one(bench: Bench, arm: Arm) -> None:
    run = bench.measure(arm)
    assert {bench.primary, *(guard.metric for guard in bench.guards)} <= set(run)


@pytest.mark.parametrize("arm", Arm)
def test_every_value_of_a_run_is_a_number_not_below_zero(bench: Bench, arm: Arm) -> None:
    assert all(math.isfinite(value) and value >= 0.0 for value in bench.measure(arm).values())


def test_both_arms_have_the_same_metrics(bench: Bench) -> None:
    assert set(bench.measure(Arm.A)) == set(bench.measure(Arm.B))


def test_arms_are_measured_in_any_order(bench: Bench) -> None:
    runs = [bench.measure(arm) for arm in (Arm.B, Arm.B, Arm.A, Arm.B, Arm.A, Arm.A)]
    assert len({frozenset(run) for run in runs}) == 1


@pytest.mark.parametrize("arm", Arm)
def test_counters_are_the_same_for_every_call(bench: Bench, arm: Arm) -> None:
    before = bench.count(arm)
    bench.measure(arm)
    assert bench.count(arm) == before


def test_comparing_answers_twice_says_the_same(bench: Bench) -> None:
    first = bench.check()
    assert tuple(bench.check()) == tuple(first)
    assert first
    assert [guard for guard in first if not guard.passed] == []


def test_closing_twice_is_closing_once(bench: Bench) -> None:
    before = bench.measure(Arm.A)
    bench.close()
    bench.close()
    assert before
