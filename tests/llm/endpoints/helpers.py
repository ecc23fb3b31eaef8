"""Pools over fake providers in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from perfwright.batching import Priority
from perfwright.llm import Call, CallTrace, Request
from perfwright.llm.endpoints import CallSettings, Endpoint, EndpointPool
from perfwright.llm.transport import Transport
from tests.llm.endpoints.provider import FakeProvider
from tests.llm.endpoints.virtual import LoopClock

FOREVER_S = float("inf")
PATIENT = CallSettings(timeout_s=FOREVER_S)


def request_for(
    n: object = 0,
    *,
    model: str = "m",
    timeout_s: float | None = None,
    priority: Priority = Priority.NORMAL,
    **body: Any,
) -> Request:
    return Request(body={"model": model, "n": n, **body}, timeout_s=timeout_s, priority=priority)


def call_for(request: Request, *, prompt_tokens: int = 10, completion_tokens: int = 5) -> Call:
    trace = CallTrace("chat", start_s=LoopClock().now(), rng=random.Random(1))
    return Call(request, prompt_tokens, completion_tokens, trace)


def pool_over(
    *providers: FakeProvider,
    endpoints: Sequence[Endpoint] | None = None,
    settings: CallSettings | None = None,
    seed: int = 1,
    redis_client: Any = None,
) -> EndpointPool:
    """A pool with one endpoint for each provider, by its name."""
    by_name: dict[str, Transport] = {provider.name: provider for provider in providers}
    return EndpointPool(
        endpoints or [Endpoint(name=provider.name) for provider in providers],
        settings=settings,
        clock=LoopClock(),
        rng=random.Random(seed),
        redis_client=redis_client,
        make_transport=lambda endpoint: by_name[endpoint.name],
    )


@dataclass
class Outcome:
    """What came of many calls."""

    took_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    endpoints: list[str] = field(default_factory=list)
    answers: dict[object, str] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)

    def quantile_s(self, share: float) -> float:
        return sorted(self.latencies_s)[int(share * len(self.latencies_s))]


async def send_all(
    pool: EndpointPool,
    calls: int,
    *,
    gap_s: float = 0.0,
    timeout_s: float | None = None,
    at_a_time: int = 1_000_000,
    **body: Any,
) -> Outcome:
    """Send many calls, at once or one after each gap."""
    outcome, loop = Outcome(), asyncio.get_running_loop()
    start_s, places = loop.time(), asyncio.Semaphore(at_a_time)

    async def one_of_few(number: int) -> None:
        async with places:
            await one(number)

    async def one(number: int) -> None:
        begun_s = loop.time()
        try:
            reply, name = await pool.send(
                call_for(request_for(number, timeout_s=timeout_s, **body))
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            outcome.errors.append(error)
        else:
            outcome.answers[number] = reply.payload["text"]
            outcome.endpoints.append(name)
            outcome.latencies_s.append(loop.time() - begun_s)

    async with asyncio.TaskGroup() as group:
        for number in range(calls):
            group.create_task(one_of_few(number))
            if gap_s:
                await asyncio.sleep(gap_s)
    outcome.took_s = loop.time() - start_s
    return outcome


def ideal_s(provider: FakeProvider, calls: int | None = None) -> float:
    """How long it takes whoever knows the limit: all that was let in, retries too."""
    assert provider.rate is not None
    let_in = len(provider.accepted_s) if calls is None else calls
    paced = max(0.0, let_in - provider.rate.burst)
    return paced / provider.rate.per_s + provider.latency_s


async def outcome_of(work: Awaitable[Any]) -> BaseException | None:
    """What it raised."""
    try:
        await work
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the test looks at it
        return error
    return None


Work = Callable[[], Awaitable[Any]]
