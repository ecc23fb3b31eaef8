"""Which samples a run executes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfwright.agents.database.artifacts import Access, Cost, Observation, Sample
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.examples import read, write
from perfwright.agents.database.schedule import MIN_WRITES, RUN_MS, plan_run

SAMPLES = tuple(Sample(sql=f"select {i}") for i in range(20))


def observed(name: str, *, ms: float, writes: bool = False) -> Observation:
    base = write() if writes else read(Access(table="orders"))
    shape = replace(base.shape, id=name, samples=SAMPLES)
    return replace(base, shape=shape, cost=Cost(ms=ms, steps=1e4, rows=1))


def test_samples_stand_for_all_calls() -> None:
    run = plan_run((observed("a", ms=1.0), observed("b", ms=9.0)), Catalog())
    for name in ("a", "b"):
        weights = [item.weight for item in run.items if item.shape == name]
        assert sum(weights) == pytest.approx(100)


def test_a_run_is_short() -> None:
    run = plan_run((observed("a", ms=1.0), observed("b", ms=9.0)), Catalog())
    costs = {"a": 1.0, "b": 9.0}
    assert sum(costs[item.shape] for item in run.items) <= RUN_MS


def test_quick_statements_are_repeated() -> None:
    assert plan_run((observed("a", ms=0.01),), Catalog()).repeats > 1


def test_a_slow_statement_runs_once() -> None:
    run = plan_run((observed("a", ms=500.0),), Catalog())
    assert (len(run.items), run.repeats) == (1, 1)


def test_writes_are_sampled_beside_slow_reads() -> None:
    run = plan_run((observed("a", ms=500.0), observed("w", ms=0.02, writes=True)), Catalog())
    assert sum(item.write for item in run.items) == MIN_WRITES
