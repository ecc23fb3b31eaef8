"""A pipeline without a provider, and a gateway in front of it on a free port."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from perfwright.core import SystemClock
from perfwright.llm.caching import CacheMode
from perfwright.llm.gateway import Gateway, GatewayKey, GatewaySettings, Stop, serve, sha256_of
from perfwright.llm.replies import Completion, Piece, Usage
from perfwright.llm.requests import Request
from perfwright.llm.tracing import CallTrace
from perfwright.monitoring import Metric

RAW = b'{"id": "chatcmpl-1",  "choices": [{"message": {"role": "assistant", "content": "hi"}}]}'
"""With two spaces that no encoder writes."""
HELLO: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
CHAT = "/v1/chat/completions"


def completion(raw: bytes | None = RAW, **facts: Any) -> Completion:
    """A short answer."""
    usage = Usage(prompt_tokens=3, completion_tokens=2)
    trace = CallTrace("chat", start_s=0.0, rng=random.Random(1))
    known = {"usage": usage, "cost_usd": 0.00125, "endpoint": "first", "trace": trace, **facts}
    return Completion(msgspec.json.decode(RAW), raw=raw, **known)


def pieces(*texts: str) -> list[Piece]:
    """The pieces of a chat, as a provider sends them."""
    return [_piece(text) for text in texts]


def _piece(text: str) -> Piece:
    payload = {"choices": [{"index": 0, "delta": {"content": text}}]}
    return Piece(payload, raw=b"data:  " + msgspec.json.encode(payload))


@dataclass
class FakeStream:
    """Yields what it was given; an exception among it is raised at its place."""

    given: Sequence[Piece | BaseException]
    pause: Callable[[], Any] = lambda: asyncio.sleep(0)
    cached: bool = False
    endpoint: str = "first"
    trace: CallTrace | None = None
    is_closed: bool = False

    @property
    def completion(self) -> Completion | None:
        return completion()

    async def __aiter__(self) -> AsyncIterator[Piece]:
        for each in self.given:
            await self.pause()
            if isinstance(each, BaseException):
                raise each
            yield each

    async def aclose(self) -> None:
        self.is_closed = True


@dataclass
class FakeRuntime:
    """Answers everything alike, and remembers what it was asked."""

    answer: Callable[[Request], Any] = lambda _: completion()
    streamed: Callable[[Request], FakeStream] = lambda _: FakeStream(pieces("a", "b"))
    asked: list[Request] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)
    """How each call wanted the cache."""
    cancelled: int = 0
    under_way: int = 0
    gate: asyncio.Event | None = None
    """Answers wait for it."""

    async def send(self, request: Request, *, cache: CacheMode = "use") -> Completion:
        self.modes.append(cache)
        self.asked.append(request)
        self.under_way += 1
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1
        answer = self.answer(request)
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, Completion)
        return answer

    async def open(self, request: Request, *, cache: CacheMode = "use") -> FakeStream:
        self.modes.append(cache)
        self.asked.append(request)
        return self.streamed(request)

    def models(self) -> list[str]:
        return ["m", "other/model"]

    def get_stats(self) -> dict[str, Any]:
        return {"requests": len(self.asked)}

    def metrics(self) -> Iterable[Metric]:
        yield Metric(name="llm_requests", kind="counter", value=len(self.asked), help="Calls.")


@dataclass
class Served:
    """A gateway that runs, and a client of it."""

    runtime: FakeRuntime
    gateway: Gateway
    stop: Stop
    port: int
    client: aiohttp.ClientSession
    serving: asyncio.Task[int]

    async def post(
        self, path: str = CHAT, body: Any = HELLO, **headers: str
    ) -> tuple[int, bytes, Any]:
        """Return status, body and headers."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        given = {"Content-Type": "application/json", **_headers(headers)}
        async with self.client.post(path, data=data, headers=given) as answer:
            return answer.status, await answer.read(), answer.headers

    async def error(self, path: str = CHAT, body: Any = HELLO, **headers: str) -> tuple[int, str]:
        """Return the status and the code of a refusal."""
        status, data, _ = await self.post(path, body, **headers)
        return status, msgspec.json.decode(data)["error"]["code"]

    async def get(self, path: str, *, method: str = "GET", **headers: str) -> tuple[int, bytes]:
        """Return status and body."""
        async with self.client.request(method, path, headers=_headers(headers)) as answer:
            return answer.status, await answer.read()

    async def raw(self, *parts: bytes, pause_s: float = 0.0, ends: bytes = b"") -> bytes:
        """Send bytes, with pauses between the parts; returns what comes until `ends`, or all."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        try:
            async with asyncio.timeout(5.0):
                return await (reader.readuntil(ends) if ends else reader.read())
        finally:
            writer.close()


def _headers(given: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in given.items()}


@asynccontextmanager
async def gateway(
    runtime: FakeRuntime | None = None,
    *,
    keys: Iterable[GatewayKey] = (),
    model: str = "",
    **settings: Any,
) -> AsyncIterator[Served]:
    """Serve a pipeline on a free port of this machine."""
    runtime, clock = runtime or FakeRuntime(), SystemClock()
    chosen = GatewaySettings(port=0, **{"drain_timeout_s": 2.0, **settings})
    answering = Gateway(runtime, keys=keys, settings=chosen, clock=clock, model=model)
    stop, ports = Stop(), asyncio.Queue[int]()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(
            serve(answering, settings=chosen, clock=clock, stop=stop, on_ready=ports.put_nowait)
        )
        port = await ports.get()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            yield Served(runtime, answering, stop, port, client, serving)
        stop.ask()
        stop.ask()


def key(name: str, secret: str, **allowed: Any) -> GatewayKey:
    """A caller's key."""
    return GatewayKey(name=name, sha256=sha256_of(secret), **allowed)


async def until(condition: Callable[[], bool], *, limit_s: float = 5.0) -> None:
    """Wait for something that other tasks do."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - what it waits for knows nothing of tests
            await asyncio.sleep(0.005)
