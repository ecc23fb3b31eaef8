"""Stores rule, hold and book as a plain account does, whatever the order."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from benchmarks._redis import PrivateRedis
from perfwright.core import ManualClock
from perfwright.llm.cost import Budget
from perfwright.llm.cost.account import Account, Claim, Ruling
from perfwright.llm.cost.budget import Amounts
from perfwright.llm.cost.periods import FOREVER, Calendar
from perfwright.llm.cost.redis_store import RedisStore
from perfwright.llm.cost.shared_ledger import Finish, Row, Store, Taken
from perfwright.llm.cost.sqlite_store import SqliteStore

Open = Callable[[], AbstractAsyncContextManager[Store]]

BUDGETS = (
    Budget(name="a", usd=3e-9, tokens=3_000, calls=6),
    Budget(name="b", usd=900_000.0, tokens=2_000),
)
ROWS = [Row(budget, "7", *FOREVER) for budget in BUDGETS]
amounts = st.builds(
    Amounts,
    st.integers(min_value=0, max_value=2_000),
    st.integers(min_value=0, max_value=2_000),
    st.just(1),
)
claims = st.builds(Claim, amounts, amounts, amounts)
steps = st.lists(
    st.tuples(st.sampled_from(["take", "settle", "release"]), claims, st.integers(0, 9), amounts),
    max_size=25,
)


@pytest.fixture(params=["redis", "sqlite"])
def open_store(request: pytest.FixtureRequest) -> Open:
    calendar = Calendar(ManualClock())
    if request.param == "sqlite":

        @asynccontextmanager
        async def in_file() -> Any:
            with tempfile.TemporaryDirectory() as folder:
                store = SqliteStore(Path(folder) / "b.db", timeout_s=5.0, calendar=calendar)
                try:
                    yield store
                finally:
                    await store.aclose()

        return in_file
    server: PrivateRedis = request.getfixturevalue("redis_server")

    @asynccontextmanager
    async def in_redis() -> Any:
        async with Redis(port=server.port) as client:
            yield RedisStore(client, key=uuid.uuid4().hex, timeout_s=5.0, calendar=calendar)

    return in_redis


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=steps)
def test_a_store_is_an_account_that_others_see(
    open_store: Open, plan: list[tuple[str, Claim, int, Amounts]]
) -> None:
    async def run() -> None:
        accounts = [Account(budget.limits) for budget in BUDGETS]
        under_way: list[tuple[str, Claim, list[Amounts]]] = []
        async with open_store() as store:
            for number, (step, claim, which, actual) in enumerate(plan):
                if step == "take":
                    pair = [claim, claim]
                    answers = await store.take(ROWS, pair, hold=str(number), ttl_s=900.0)
                    rulings = [account.judge(claim) for account in accounts]
                    assert [answer.ruling for answer in answers] == rulings
                    for answer, account in zip(answers, accounts, strict=True):
                        # For people: a script of Redis has 53 bits for what is not limited.
                        assert answer.unspent == pytest.approx(account.unspent, rel=1e-15)
                    if set(rulings) == {Ruling.GO}:
                        taken = [account.hold(claim) for account in accounts]
                        under_way.append((str(number), claim, taken))
                elif under_way:
                    hold, claimed, taken = under_way.pop(which % len(under_way))
                    ends = [Taken(row, hold, claimed.expected) for row in ROWS]
                    paid = actual if step == "settle" else None
                    spent = await store.finish(Finish(ends, paid))
                    for account, amount in zip(accounts, taken, strict=True):
                        account.give_back(amount)
                        account.spend(paid or Amounts(0, 0, 0))
                    assert spent == [account.spent for account in accounts]
                levels = await store.levels(ROWS)
                assert levels == [(a.spent, a.held, a.holds) for a in accounts]

    asyncio.run(run())


def test_budgets_whose_names_look_alike_are_kept_apart() -> None:
    one = Row(Budget(name="a:0", calls=1), "x", 0, 1.0)
    other = Row(Budget(name="a", calls=1), "0:x", 0, 1.0)
    assert one.name != other.name
