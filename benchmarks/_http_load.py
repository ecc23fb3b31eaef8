"""A lean HTTP load generator: keep-alive connections in a closed loop, some us for a request."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

Target = tuple[str, int]
"""Host and port."""


@dataclass(slots=True)
class Measured:
    """What came of some requests."""

    seconds: float = 0.0
    """From the first request to the last answer."""
    latencies_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    """Until the first byte of each body."""
    failed: int = 0
    """Answers with a status other than 200, and connections lost."""

    @property
    def per_s(self) -> float:
        """Good answers per second."""
        return (len(self.latencies_s) - self.failed) / self.seconds

    def quantile_ms(self, share: float) -> float:
        """The latency below which this share of the answers came."""
        ordered = sorted(self.latencies_s)
        return 1_000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Connection(asyncio.Protocol):
    """Sends a request, waits for its whole answer, sends the next."""

    def __init__(self, requests: Iterator[bytes], measured: Measured, done: Callable[[], None]):
        self._requests, self._measured, self._done = requests, measured, done
        self._buffer = bytearray()
        self._began_s = 0.0
        self._body_at = -1
        self._first_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if self._body_at < 0:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = bytes(buffer[:end]).lower()
            self._body_at = end + 4
        if not self._first_s and len(buffer) > self._body_at:
            self._first_s = time.perf_counter() - self._began_s
        if self._is_whole():
            self._note(is_good=self._head[9:12] == b"200")
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._began_s:
            self._note(is_good=False)
            self._done()

    def _is_whole(self) -> bool:
        place = self._head.find(b"content-length:")
        if place < 0:
            return self._buffer.endswith(b"0\r\n\r\n", self._body_at)
        length = int(self._head[place + 15 :].split(b"\r\n", 1)[0])
        return len(self._buffer) >= self._body_at + length

    def _note(self, *, is_good: bool) -> None:
        self._measured.latencies_s.append(time.perf_counter() - self._began_s)
        self._measured.first_s.append(self._first_s)
        self._measured.failed += not is_good
        self._began_s = 0.0

    def _next(self) -> None:
        self._buffer.clear()
        self._body_at, self._first_s = -1, 0.0
        request = next(self._requests, None)
        if request is None:
            self._done()
            self._transport.close()
            return
        self._began_s = time.perf_counter()
        self._transport.write(request)


async def load(target: Target, requests: Iterator[bytes], *, connections: int) -> Measured:
    """Send all requests over so many connections; each sends its next when it has its answer."""
    loop = asyncio.get_running_loop()
    measured, over, left = Measured(), asyncio.Event(), connections

    def done() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            over.set()

    began_s = time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(requests, measured, done), *target)
    await over.wait()
    measured.seconds = time.perf_counter() - began_s
    return measured


class Prompts:
    """Chat requests as bytes: each with a text of its own, or all alike."""

    def __init__(self, target: Target, *, model: str = "gpt-4o-mini", key: str = "sk-none") -> None:
        self._head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {target[0]}:{target[1]}\r\n"
            f"Content-Type: application/json\r\nAuthorization: Bearer {key}\r\n"
        )
        self._model, self._numbers = model, count()

    def distinct(self, many: int, *, stream: bool = False) -> Iterator[bytes]:
        """So many requests that nobody has asked before."""
        return iter([self._one(next(self._numbers), stream=stream) for _ in range(many)])

    def alike(self, many: int) -> Iterator[bytes]:
        """The same request so many times."""
        return iter([self._one(-1, stream=False)] * many)

    def _one(self, number: int, *, stream: bool) -> bytes:
        text = f"{number}: " + "What is the capital of the country with this number? " * 8
        body: dict[str, object] = {
            "model": self._model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": 64,
        }
        if stream:
            body["stream"] = True
        data = json.dumps(body)
        return f"{self._head}Content-Length: {len(data)}\r\n\r\n{data}".encode()
