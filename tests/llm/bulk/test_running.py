from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfwright.core import (
    ConfigError,
    LLMError,
    ManualClock,
    ProviderDownError,
    ProviderRefusedError,
)
from perfwright.llm import Completion, Request
from perfwright.llm.bulk import Progress, finished_of, run_batch, stream_batch
from perfwright.llm.bulk.crew import Requests
from tests.batching.virtual import in_virtual_time, run
from tests.llm.bulk.senders import Sender, answer, ask, asks, prompt


def text_of(outcome: Completion | Exception) -> str:
    return outcome.text if isinstance(outcome, Completion) else type(outcome).__name__


# --- Order and number -----------------------------------------------------------------------------


@given(
    st.integers(0, 60),
    st.integers(1, 70),
    st.integers(0, 1_000),
    st.sampled_from(["list", "iterator", "async"]),
)
@settings(deadline=None)
def test_each_request_has_one_outcome_in_its_place(
    count: int, max_in_flight: int, seed: int, kind: str
) -> None:
    rng = random.Random(seed)
    fails = frozenset(str(number) for number in range(count) if rng.random() < 0.3)
    sender = Sender(delay_s=lambda _: rng.choice([0.0, 0.1, 1.0]), fails=fails)

    async def later() -> AsyncIterator[Request]:
        for request in asks(count):
            await asyncio.sleep(rng.choice([0.0, 0.3]))
            yield request

    kinds: dict[str, Requests] = {"list": asks(count), "iterator": iter(asks(count))}
    requests = kinds.get(kind) or later()
    outcomes = run(run_batch(sender, requests, return_exceptions=True, max_in_flight=max_in_flight))
    expected = [
        "ProviderDownError" if str(number) in fails else f"echo {number}" for number in range(count)
    ]
    assert [text_of(outcome) for outcome in outcomes] == expected
    assert sorted(sender.asked, key=int) == [str(number) for number in range(count)]
    assert sender.most_in_flight <= max_in_flight


@in_virtual_time
async def test_as_many_calls_are_in_flight_as_allowed() -> None:
    sender = Sender(delay_s=lambda _: 1.0)
    await run_batch(sender, asks(100), max_in_flight=10)
    assert sender.most_in_flight == 10
    assert asyncio.get_running_loop().time() == pytest.approx(10.0)


@in_virtual_time
async def test_an_iterator_is_read_no_further_than_calls_are_made() -> None:
    read = 0

    def endless() -> Iterator[Request]:
        nonlocal read
        while True:
            read += 1
            yield ask(str(read))

    sender = Sender(delay_s=lambda _: 1.0)
    async with aclosing(stream_batch(sender, endless(), max_in_flight=5)) as results:
        async for index, _ in results:
            if index == 20:
                break
    assert read <= 20 + 1 + 2 * 5  # the calls in flight, and as many outcomes that wait


@in_virtual_time
async def test_there_are_no_more_tasks_than_requests() -> None:
    most = 0

    async def send(request: Request) -> Completion:
        nonlocal most
        most = max(most, len(asyncio.all_tasks()))
        await asyncio.sleep(1.0)
        return answer("")

    await run_batch(send, asks(3), max_in_flight=1_000)
    assert most <= 1 + 3 + 1  # this test, one per request, and the one that finds no more


def test_a_batch_of_answers_that_never_suspend_lets_other_tasks_run() -> None:
    turns = 0

    async def send(request: Request) -> Completion:
        return answer("")

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            beside = group.create_task(other())
            await run_batch(send, asks(1_000), max_in_flight=1)
            beside.cancel()

    asyncio.run(main())
    assert turns >= 10


def test_no_requests_have_no_results() -> None:
    assert run(run_batch(Sender(), [])) == []


@pytest.mark.parametrize("places", [0, -1])
def test_no_place_for_a_call_is_refused(places: int) -> None:
    with pytest.raises(ConfigError, match="max_in_flight"):
        run(run_batch(Sender(), asks(1), max_in_flight=places))


# --- Failures -------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_first_error_is_raised_as_it_is() -> None:
    sender = Sender(delay_s=float, fails=frozenset({"2", "3"}))
    with pytest.raises(ProviderDownError, match="no answer to 2") as caught:
        await run_batch(sender, asks(6))
    assert caught.value.__notes__ == ["raised by request 2 of the batch, counted from 0"]
    assert asyncio.get_running_loop().time() == pytest.approx(2.0)


@in_virtual_time
async def test_the_first_error_ends_the_calls_under_way() -> None:
    sender = Sender(delay_s=float, fails=frozenset({"2"}))
    with pytest.raises(ProviderDownError):
        await run_batch(sender, asks(9), max_in_flight=5)
    assert sorted(sender.cancelled) == ["3", "4", "5", "6"]
    assert sender.in_flight == 0


@in_virtual_time
async def test_an_error_carries_what_had_been_answered() -> None:
    sender = Sender(delay_s=float, fails=frozenset({"2"}))
    with pytest.raises(ProviderDownError) as caught:
        await run_batch(sender, asks(6))
    assert {i: done.text for i, done in finished_of(caught.value).items()} == {
        0: "echo 0",
        1: "echo 1",
    }


def test_an_error_of_no_batch_carries_nothing() -> None:
    assert finished_of(ValueError()) == {}


@in_virtual_time
async def test_an_error_keeps_its_cause() -> None:
    async def send(request: Request) -> Completion:
        raise ProviderRefusedError(endpoint="e", problem="no") from KeyError("why")

    with pytest.raises(ProviderRefusedError) as caught:
        await run_batch(send, asks(1))
    assert isinstance(caught.value.__cause__, KeyError)


@in_virtual_time
async def test_a_call_that_cancels_itself_is_a_failure_of_its_request_alone() -> None:
    async def send(request: Request) -> Completion:
        if prompt(request) == "1":
            raise asyncio.CancelledError
        return answer("fine")

    outcomes = await run_batch(send, asks(3), return_exceptions=True, max_in_flight=1)
    assert [text_of(outcome) for outcome in outcomes] == ["fine", LLMError.__name__, "fine"]


@in_virtual_time
async def test_an_iterator_that_fails_ends_the_batch_even_if_failures_are_values() -> None:
    def broken() -> Iterator[Request]:
        yield ask("0")
        raise ValueError("no more of the file")

    sender = Sender(delay_s=lambda _: 5.0)
    with pytest.raises(ValueError, match="no more of the file"):
        await run_batch(sender, broken(), return_exceptions=True)
    assert sorted(sender.cancelled) == ["0"]


@in_virtual_time
async def test_cancelling_a_batch_cancels_its_calls() -> None:
    sender = Sender(delay_s=lambda _: 5.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await run_batch(sender, asks(10), max_in_flight=4)
    assert sorted(sender.cancelled) == ["0", "1", "2", "3"]
    assert len(asyncio.all_tasks()) == 1


# --- Outcomes as they come ------------------------------------------------------------------------


@in_virtual_time
async def test_a_stream_yields_outcomes_as_they_finish() -> None:
    sender = Sender(delay_s=lambda text: 3.0 - float(text), fails=frozenset({"1"}))
    seen = [(i, text_of(outcome)) async for i, outcome in stream_batch(sender, asks(3))]
    assert seen == [(2, "echo 2"), (1, "ProviderDownError"), (0, "echo 0")]


@in_virtual_time
async def test_who_takes_outcomes_slowly_makes_a_stream_send_slowly() -> None:
    sender = Sender()
    results = stream_batch(sender, asks(100), max_in_flight=3)
    async with aclosing(results):
        await anext(results)
        await asyncio.sleep(60.0)
        assert len(sender.asked) <= 1 + 2 * 3


@in_virtual_time
async def test_closing_a_stream_cancels_its_calls() -> None:
    sender = Sender(delay_s=float)
    async with aclosing(stream_batch(sender, asks(5))) as results:
        await anext(results)
    assert sorted(sender.cancelled) == ["1", "2", "3", "4"]
    assert len(asyncio.all_tasks()) == 1


@in_virtual_time
async def test_cancelling_who_waits_for_a_stream_cancels_its_calls() -> None:
    sender = Sender(delay_s=lambda _: 5.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await anext(stream_batch(sender, asks(3)))
    assert sorted(sender.cancelled) == ["0", "1", "2"]


@in_virtual_time
async def test_a_stream_raises_what_its_iterator_raises_after_what_came_before() -> None:
    def broken() -> Iterator[Request]:
        yield ask("0")
        raise ValueError("no more of the file")

    async def send(request: Request) -> Completion:
        return answer("at once")

    results = stream_batch(send, broken(), max_in_flight=1)
    assert (await anext(results))[0] == 0
    with pytest.raises(ValueError, match="no more of the file"):
        await anext(results)


# --- Progress -------------------------------------------------------------------------------------


@in_virtual_time
async def test_progress_ends_with_everything_done() -> None:
    told: list[Progress] = []
    sender = Sender(fails=frozenset({"3"}))
    await run_batch(sender, asks(10), return_exceptions=True, on_progress=told.append)
    last = told[-1]
    assert (last.done, last.total, last.failed, last.restored) == (10, 10, 1, 0)
    assert last.cost_usd == pytest.approx(0.09)


@in_virtual_time
async def test_progress_is_told_at_a_bounded_rate() -> None:
    clock = ManualClock()
    told: list[Progress] = []

    async def send(request: Request) -> Completion:
        clock.now_s += 0.01
        return answer("")

    await run_batch(
        send, asks(1_000), on_progress=told.append, progress_interval_s=1.0, clock=clock
    )
    assert 10 <= len(told) <= 12
    assert [p.done for p in told] == sorted({p.done for p in told})


@in_virtual_time
async def test_the_total_of_an_iterator_is_known_at_its_end() -> None:
    told: list[Progress] = []
    await run_batch(Sender(), iter(asks(4)), on_progress=told.append)
    assert [told[0].total, told[-1].total] == [None, 4]


@in_virtual_time
async def test_a_callback_that_raises_ends_the_batch() -> None:
    def stop(progress: Progress) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        await run_batch(Sender(), asks(10), return_exceptions=True, on_progress=stop)
