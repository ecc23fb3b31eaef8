"""An answer that is paid for reaches its caller, whatever becomes of its booking."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from perfwright.core import ManualClock, ProviderTimeoutError
from perfwright.llm import Call, CallTrace, Piece, Reply
from perfwright.llm.calling import Caller
from perfwright.llm.cost import Budget, CostControl, Price, Prices
from tests.limits.loops import in_loop
from tests.llm.cost.calls import COST_USD, MODEL, PRICES, USAGE, ask

PAYLOAD = {"model": MODEL, "choices": [{"message": {"content": "yes"}}]}


class BrokenPrices(Prices):
    """Sold out of file descriptors as soon as something is `broken`."""

    broken = False

    def of(self, model: str, *, asked: str = "", base_url: str | None = None) -> Price | None:
        if self.broken:
            raise OSError(24, "Too many open files")
        return super().of(model, asked=asked, base_url=base_url)


class Stream:
    headers: dict[str, str] = {}  # noqa: RUF012
    endpoint = "east"
    closed = False

    async def __aiter__(self) -> AsyncIterator[Piece]:
        yield Piece({"choices": [{"delta": {"content": "yes"}}]})
        yield Piece({"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 20}})

    async def aclose(self) -> None:
        self.closed = True


class Pool:
    """Answers, and breaks the prices while it does."""

    def __init__(self, prices: BrokenPrices, *, error: Exception | None = None) -> None:
        self._prices, self._error = prices, error
        self.breaks = True
        self.stream = Stream()

    async def send(self, call: Call) -> tuple[Reply, str]:
        self._answer(call)
        return Reply(payload=dict(PAYLOAD), usage=USAGE), "east"

    async def open(self, call: Call) -> Stream:
        self._answer(call)
        return self.stream

    def _answer(self, call: Call) -> None:
        call.is_under_way = True
        self._prices.broken = self.breaks
        if self._error is not None:
            raise self._error


def caller_of(*budgets: Budget, error: Exception | None = None) -> tuple[Caller, CostControl, Pool]:
    prices = BrokenPrices(PRICES, catalogue=False)
    control = CostControl(prices=prices, budgets=budgets)
    pool = Pool(prices, error=error)
    chosen: Any = pool
    return Caller(chosen, control, timeout_s=60.0, clock=ManualClock()), control, pool


def trace() -> CallTrace:
    return CallTrace("chat", start_s=0.0, rng=random.Random(1))


@in_loop
async def test_an_answer_that_cannot_be_priced_is_returned_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caller, control, _ = caller_of()
    with caplog.at_level(logging.WARNING, logger="perfwright.llm"):
        answers = [await caller.send(ask(), trace()) for _ in range(3)]
    assert [(a.reply.payload, a.endpoint, a.cost_usd) for a in answers] == [
        (PAYLOAD, "east", None)
    ] * 3
    stats = control.get_stats()
    assert (stats["calls"], stats["unpriced_calls"], stats["total_tokens"]) == (3, 3, 3 * 32)
    (record,) = caplog.records
    assert "Too many open files" in record.getMessage()


@in_loop
async def test_a_budget_gets_its_booking_though_no_price_is_found() -> None:
    caller, control, _ = caller_of(Budget(name="b", usd=1.0, calls=5))
    await caller.send(ask(max_tokens=30), trace())
    budget = control.get_stats()["budgets"]["b"]
    assert (budget["calls_under_way"], budget["held_usd"], budget["spent_calls"]) == (0, 0.0, 1)


@in_loop
async def test_a_stream_whose_price_is_not_found_is_read_to_its_end_and_closed() -> None:
    caller, control, pool = caller_of()
    stream = await caller.open(ask(), trace())
    text = "".join([piece.text async for piece in stream])
    await stream.aclose()
    assert (text, stream.cost_usd, pool.stream.closed) == ("yes", None, True)
    assert control.get_stats()["unpriced_calls"] == 1


@pytest.mark.parametrize("streamed", [True, False])
@in_loop
async def test_the_providers_error_is_what_the_caller_gets(streamed: bool) -> None:
    error = ProviderTimeoutError(endpoint="east", problem="too late")
    caller, control, _ = caller_of(Budget(name="b", calls=5), error=error)
    with pytest.raises(ProviderTimeoutError) as caught:
        await (caller.open if streamed else caller.send)(ask(), trace())
    assert caught.value is error
    stats = control.get_stats()
    assert (stats["estimated_calls"], stats["budgets"]["b"]["calls_under_way"]) == (1, 0)


@in_loop
async def test_a_booking_that_breaks_leaves_the_answer_and_gives_back_what_was_held(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, control, _ = caller_of(Budget(name="b", calls=5))

    def broken(*_: object, **__: object) -> None:
        raise KeyError("no such row")

    monkeypatch.setattr(control.book, "book", broken)
    with caplog.at_level(logging.WARNING, logger="perfwright.llm"):
        answers = [await caller.send(ask(), trace()) for _ in range(2)]
    assert [answer.cost_usd for answer in answers] == [None, None]
    assert control.get_stats()["budgets"]["b"]["calls_under_way"] == 0
    assert len([r for r in caplog.records if "no such row" in r.getMessage()]) == 1


def test_what_is_asked_for_is_priced_before_it_is_paid_for() -> None:
    looked_up: list[str] = []

    class Watched(Prices):
        def of(self, model: str, *, asked: str = "", base_url: str | None = None) -> Price | None:
            looked_up.append(model)
            return super().of(model, asked=asked, base_url=base_url)

    @in_loop
    async def reserve() -> None:
        control = CostControl(prices=Watched(catalogue=False), models={"east": "own"})
        await control.reserve(Call(ask(), 12, 20, trace()))

    reserve()
    assert looked_up == ["own"]


@in_loop
async def test_an_answer_that_teaches_nothing_is_booked_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caller, control, pool = caller_of(Budget(name="b", calls=5))
    pool.breaks = False

    def broken(*_: object) -> None:
        raise OverflowError("int too large to convert to float")

    monkeypatch.setattr(control._estimator, "learn", broken)
    answer = await caller.send(ask(), trace())
    assert answer.cost_usd == pytest.approx(COST_USD)
    stats = control.get_stats()
    assert (stats["calls"], stats["booking_failures"]) == (1, 1)
    assert stats["budgets"]["b"]["spent_calls"] == 1
