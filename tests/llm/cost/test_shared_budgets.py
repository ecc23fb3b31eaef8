"""Budgets of several processes, in Redis and in a file: never overspent, whoever is killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from benchmarks._redis import PrivateRedis
from perfwright.core import LimiterUnavailableError, ManualClock, SpendLimitError
from perfwright.llm import Usage
from perfwright.llm.cost import Budget, BudgetAlert, CostControl, in_redis, in_sqlite
from perfwright.llm.cost.shared_ledger import SharedLedger
from tests.limits.loops import in_loop
from tests.llm.cost.calls import COST_USD, MODEL, USAGE, Crowd, ask, call_of, prices

WORKER = """
import asyncio, json, os, random, sys
from redis.asyncio import Redis
from perfwright.llm import Usage
from perfwright.llm.cost import Budget, CostControl, in_redis, in_sqlite
from tests.llm.cost.calls import Crowd, prices

async def main(place, seed, usd, mode):
    die, strict = mode == "die", mode == "strict"
    rng = random.Random(seed)
    redis = None if place.endswith(".db") else Redis(port=int(place))
    ttl_s = 0.5 if die else 900.0
    where = in_redis(redis, hold_ttl_s=ttl_s) if redis else in_sqlite(place, hold_ttl_s=ttl_s)
    control = CostControl(
        prices=prices(), budgets=[Budget(name="b", usd=usd, calls=999, strict=strict)],
        make_ledger=where
    )
    def usage():
        if die:
            os._exit(9)
        return Usage(prompt_tokens=12, completion_tokens=rng.randint(10, 40))
    crowd = Crowd(control, usage)
    await crowd.run(60, max_tokens=40)
    await control.aclose()
    if redis is not None:
        await redis.aclose()
    print(json.dumps([crowd.paid, len(crowd.refusals), control.get_stats()["cost_usd"]]))

place, seed, usd, mode = sys.argv[1:]
asyncio.run(main(place, int(seed), float(usd), mode))
"""


class Places:
    """Either kind of place, by the name of the test's parameter."""

    def __init__(self, kind: str, place: str) -> None:
        self.kind, self.place = kind, place

    @asynccontextmanager
    async def control(self, *budgets: Budget, **options: Any) -> AsyncIterator[CostControl]:
        ttl_s = options.pop("hold_ttl_s", 900.0)
        redis = Redis(port=int(self.place)) if self.kind == "redis" else None
        where = in_sqlite(self.place, hold_ttl_s=ttl_s)
        if redis is not None:
            where = in_redis(redis, hold_ttl_s=ttl_s)
        control = CostControl(prices=prices(), budgets=budgets, make_ledger=where, **options)
        try:
            yield control
        finally:
            await control.aclose()
            if redis is not None:
                await redis.aclose()


@pytest.fixture(params=["redis", "sqlite"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    if request.param == "sqlite":
        return Places("sqlite", str(tmp_path / "budgets.db"))
    server: PrivateRedis = request.getfixturevalue("redis_server")
    return Places("redis", str(server.port))


async def look(control: CostControl, name: str = "b") -> dict[str, Any]:
    ledger = control.ledger
    assert isinstance(ledger, SharedLedger)
    await ledger.written()
    found: dict[str, Any] = (await ledger.look())[name]
    return found


@pytest.mark.parametrize("mode", ["strict", "usual"])
def test_four_processes_never_overspend_one_budget(places: Places, mode: str) -> None:
    usd = 60 * COST_USD
    workers = [spawn(places, mode, seed=seed, usd=usd) for seed in range(4)]
    results = [json.loads(worker.communicate(timeout=50)[0]) for worker in workers]
    spent = sum(cost for _, _, cost in results)
    assert sum(paid + refused for paid, refused, _ in results) == 240
    last_call_usd = 0.0 if mode == "strict" else 30 * 10 / 1e6  # 40 tokens at most, 10 at least
    assert 0.85 * usd <= spent <= usd * (1 + 1e-9) + last_call_usd


def test_what_a_killed_process_had_set_aside_is_booked_as_expected(places: Places) -> None:
    victim = spawn(places, "die", seed=1, usd=1.0)
    victim.communicate(timeout=50)
    assert victim.returncode == 9

    async def later() -> tuple[dict[str, Any], int]:
        async with places.control(Budget(name="b", usd=1.0, calls=999)) as control:
            call = call_of(control, ask("Question 1", max_tokens=40))
            await asyncio.sleep(0.6)  # the holds of the dead end by the server's clock
            (await control.reserve(call)).release()
            return await look(control), call.prompt_tokens

    found, prompt_tokens = asyncio.run(later())
    assert found["calls_under_way"] == found["held_usd"] == 0
    each_usd = (prompt_tokens * 1 + 40 * 10) / 1e6
    assert found["spent_usd"] == pytest.approx(found["spent_calls"] * each_usd)
    assert found["spent_calls"] > 0


@in_loop
async def test_a_hold_that_outlives_its_time_is_booked_as_expected(places: Places) -> None:
    async with places.control(Budget(name="b", tokens=1_000), hold_ttl_s=0.05) as control:
        call = call_of(control, ask(max_tokens=30))
        hold = await control.reserve(call)
        await asyncio.sleep(0.1)
        found = await look(control)
        assert found["calls_under_way"] == found["held_tokens"] == 0
        assert found["spent_tokens"] == call.prompt_tokens + 30
        hold.settle(USAGE, model=MODEL)
        assert (await look(control))["spent_tokens"] == 32


@in_loop
async def test_a_shared_budget_for_twenty_pays_for_twenty(places: Places) -> None:
    async with places.control(Budget(name="b", usd=20 * COST_USD)) as control:
        crowd = Crowd(control)
        await crowd.run(60, max_tokens=20)
        assert crowd.paid == 20
        assert (await look(control))["spent_usd"] == pytest.approx(20 * COST_USD)


@in_loop
async def test_spending_survives_a_restart(places: Places) -> None:
    budget = Budget(name="b", calls=3, monthly=True)
    for _ in range(3):
        async with places.control(budget) as control:
            (await control.reserve(call_of(control, ask()))).settle(USAGE, model=MODEL)
    async with places.control(budget) as control:
        with pytest.raises(SpendLimitError, match="0 calls left"):
            await control.reserve(call_of(control, ask()))


@in_loop
async def test_a_release_returns_everything(places: Places) -> None:
    async with places.control(Budget(name="b", usd=1.0, tokens=900, calls=9)) as control:
        holds = [await control.reserve(call_of(control, ask(max_tokens=9))) for _ in range(5)]
        for hold in holds:
            hold.release()
        found = await look(control)
        assert (found["left_usd"], found["left_tokens"], found["left_calls"]) == (1.0, 900, 9)


@in_loop
async def test_those_who_wait_go_when_another_process_settles(places: Places) -> None:
    budget = Budget(name="b", calls=1)
    async with places.control(budget) as one, places.control(budget) as two:
        first = await one.reserve(call_of(one, ask()))
        second = asyncio.get_running_loop().create_task(two.reserve(call_of(two, ask())))
        await asyncio.sleep(0.05)
        assert not second.done()
        first.release()
        (await asyncio.wait_for(second, 5.0)).release()


@in_loop
async def test_a_call_that_is_cancelled_while_it_waits_leaves_nothing_behind(
    places: Places,
) -> None:
    async with places.control(Budget(name="b", calls=1)) as control:
        first = await control.reserve(call_of(control, ask()))
        second = asyncio.get_running_loop().create_task(control.reserve(call_of(control, ask())))
        await asyncio.sleep(0.05)
        second.cancel()
        await asyncio.wait([second])
        first.release()
        found = await look(control)
        assert (found["left_calls"], found["calls_under_way"]) == (1, 0)


@in_loop
async def test_each_period_has_its_own_sums(places: Places) -> None:
    clock = ManualClock()
    budget = Budget(name="b", calls=1, period_s=60.0)
    async with places.control(budget, clock=clock) as control:
        (await control.reserve(call_of(control, ask()))).settle(USAGE, model=MODEL)
        await look(control)
        clock.now_s += 60.0
        (await control.reserve(call_of(control, ask()))).settle(USAGE, model=MODEL)
        with pytest.raises(SpendLimitError):
            await control.reserve(call_of(control, ask()))


@in_loop
async def test_thresholds_count_what_all_have_spent(places: Places) -> None:
    alerts: list[BudgetAlert] = []
    budget = Budget(name="b", calls=10)
    async with (
        places.control(budget) as one,
        places.control(budget, on_threshold=alerts.append) as two,
    ):
        for control, calls in ((one, 7), (two, 1)):
            for _ in range(calls):
                (await control.reserve(call_of(control, ask()))).settle(USAGE, model=MODEL)
            await look(control)
    assert [(alert.threshold, alert.used_ratio) for alert in alerts] == [(0.8, 0.8)]


@in_loop
async def test_a_charge_is_paid_by_the_shared_budget_too(places: Places) -> None:
    async with places.control(Budget(name="b", tokens=100)) as control:
        control.charge(Usage(prompt_tokens=70), model=MODEL)
        assert (await look(control))["left_tokens"] == 30


def test_a_redis_that_is_away_lets_no_call_through(own_redis: PrivateRedis) -> None:
    async def run() -> None:
        async with Places("redis", str(own_redis.port)).control(Budget(name="b", calls=9)) as c:
            (await c.reserve(call_of(c, ask()))).release()
            await look(c)
            own_redis.kill()
            with pytest.raises(LimiterUnavailableError, match="No call is made"):
                await c.reserve(call_of(c, ask()))

    asyncio.run(run())


def test_what_could_not_be_written_is_written_when_redis_is_back(own_redis: PrivateRedis) -> None:
    async def run() -> None:
        async with Places("redis", str(own_redis.port)).control(Budget(name="b", calls=9)) as c:
            hold = await c.reserve(call_of(c, ask()))
            own_redis.pause()
            hold.settle(USAGE, model=MODEL)
            await asyncio.sleep(0.05)
            own_redis.resume()
            assert (await look(c))["spent_calls"] == 1

    asyncio.run(run())


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    async def run() -> None:
        async with Places("sqlite", str(tmp_path / "no" / "b.db")).control(
            Budget(name="b", calls=9)
        ) as control:
            with pytest.raises(LimiterUnavailableError, match=r"no/b\.db"):
                await control.reserve(call_of(control, ask()))

    asyncio.run(run())


def spawn(places: Places, mode: str, *, seed: int, usd: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, places.place, str(seed), str(usd), mode]
    root = str(Path(__file__).parents[3])
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
