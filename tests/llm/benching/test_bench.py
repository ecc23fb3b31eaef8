"""`perfwright bench`: measured numbers, and a verdict that follows from them."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from benchmarks._redis import PrivateRedis
from perfwright.core import ConfigError, ManualClock
from perfwright.llm.benching import BenchPlan, Measured, claims, run_bench
from perfwright.llm.benching.memory import KINDS, grow
from perfwright.llm.benching.workloads import ask_all, p95, repeating

TINY = BenchPlan(
    rounds=1,
    memory_rounds=1,
    memory_calls=200,
    latency_s=0.005,
    batch=8,
    calls=200,
    different_prompts=4,
    turns=8,
    workers=4,
)


def measured(*effects: float) -> Measured:
    return Measured(claim=claims.BATCHING, before=effects, after=effects, effects=effects)


@pytest.mark.parametrize(
    ("effects", "is_met", "is_noisy"),
    [((4.0, 5.0, 6.0), True, False), ((2.0, 4.0, 5.0), True, True), ((1.0, 2.0, 9.0), False, True)],
)
def test_a_claim_is_judged_by_the_median_round(
    effects: tuple[float, ...], is_met: bool, is_noisy: bool
) -> None:
    judged = measured(*effects)
    assert (judged.is_met, judged.is_noisy) == (is_met, is_noisy)


def test_the_repeating_workload_is_what_its_name_says() -> None:
    prompts = repeating(1_000, different_prompts=20, label="x", rng=random.Random(1))
    assert len(prompts) == 1_000
    assert len(set(prompts)) <= 20
    most = max(map(prompts.count, set(prompts)))
    assert most > 200  # Zipf: one prompt is asked far more often than a twentieth


def test_latencies_are_those_of_each_call() -> None:
    clock = ManualClock()

    async def ask(prompt: str) -> None:
        clock.now_s += float(prompt)

    whole_s, each_s = asyncio.run(ask_all(ask, ["1", "2", "3"], workers=1, clock=clock))
    assert (whole_s, each_s) == (6.0, [1.0, 2.0, 3.0])
    assert p95(range(1, 101)) == 95


@pytest.mark.parametrize("second_tier", ["SQLite", "Redis"])
def test_both_tiers_answer(second_tier: str, request: pytest.FixtureRequest) -> None:
    url = None
    if second_tier == "Redis":
        server: PrivateRedis = request.getfixturevalue("redis_server")
        url = f"redis://127.0.0.1:{server.port}/0"
    benched = asyncio.run(run_bench(TINY, redis_url=url))
    (round_,) = benched.repetitions
    assert benched.second_tier == second_tier
    assert round_.memory_ratio > 0.5
    assert round_.second_tier_ratio >= 1 / 200  # after the restart
    assert [each.claim.id for each in benched.measured] == [
        "batching",
        "cache-hit-rate",
        "throughput",
        "p95-latency",
        "memory",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_both_long_runs_answer_every_call(kind: str) -> None:
    assert asyncio.run(grow(kind, calls=50)) >= 0


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no server answers"):
        asyncio.run(run_bench(TINY, redis_url=f"unix://{tmp_path}/nothing"))
