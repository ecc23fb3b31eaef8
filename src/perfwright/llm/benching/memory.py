"""How much a process grows over a long run: run as a program, one kind per process.

    python -m perfwright.llm.benching.memory bounded 40000

prints the growth in bytes. The provider is within the process here and answers at once, so that a
long run takes seconds.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from perfwright.llm.adapter import OptimizedLLMAdapter
from perfwright.llm.benching.workloads import different
from perfwright.llm.replies import Piece, Reply
from perfwright.llm.requests import Request
from perfwright.llm.transport import ReplyStream
from perfwright.llm.wire import ReadyStream, usage_of

KINDS = ("unbounded", "bounded")
_WARM_UP = 500
_WORDS = 250
"""Length of an answer, about 330 tokens."""


class InstantTransport:
    """A provider within the process: decodes an answer of its own for each request."""

    def __init__(self) -> None:
        self._answered = 0

    async def send(self, request: Request, *, timeout_s: float) -> Reply:
        """Answer at once."""
        del timeout_s
        self._answered += 1
        raw = msgspec.json.encode(_answer(self._answered, model=request.model))
        payload: dict[str, Any] = msgspec.json.decode(raw)
        return Reply(payload=payload, usage=usage_of(request.api, payload), raw=raw)

    async def open(self, request: Request, *, timeout_s: float) -> ReplyStream:
        """Answer at once, in one piece."""
        reply = await self.send(request, timeout_s=timeout_s)
        return ReadyStream([Piece(reply.payload)], headers={})

    async def warm(self, connections: int) -> int:
        """There are none."""
        del connections
        return 0

    async def aclose(self) -> None:
        """Nothing is open."""


def _answer(number: int, *, model: str) -> Mapping[str, Any]:
    message = {"role": "assistant", "content": f"answer {number} " * (_WORDS // 2)}
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": number,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 330, "total_tokens": 430},
    }


async def grow(kind: str, *, calls: int) -> int:
    """Return by how many bytes the process grows over `calls` calls."""
    prompts = different(calls + _WARM_UP, label="long run")
    run = _unbounded() if kind == "unbounded" else _bounded()
    await anext(run)
    for prompt in prompts[:_WARM_UP]:
        await run.asend(prompt)
    gc.collect()
    before = resident_bytes()
    for prompt in prompts[_WARM_UP:]:
        await run.asend(prompt)
    gc.collect()
    growth = resident_bytes() - before
    await run.aclose()
    return growth


async def _unbounded() -> AsyncGenerator[None, str]:
    """As it is often written: every answer in a dict, every exchange in a list."""
    transport = InstantTransport()
    cache: dict[str, dict[str, Any]] = {}
    history: list[dict[str, Any]] = []
    prompt = yield
    while True:
        messages = [{"role": "user", "content": prompt}]
        if prompt not in cache:
            request = Request(body={"model": "bench", "messages": messages})
            cache[prompt] = (await transport.send(request, timeout_s=60.0)).payload
        history.append({"messages": messages, "answer": cache[prompt]})
        prompt = yield


async def _bounded() -> AsyncGenerator[None, str]:
    """The adapter with its defaults, and its cache."""
    async with OptimizedLLMAdapter(
        base_url="http://127.0.0.1:1/v1",  # never called: the transport answers
        model="bench",
        transport=InstantTransport(),
        enable_cache=True,
    ) as adapter:
        prompt = yield
        while True:
            await adapter.complete(prompt)
            prompt = yield


def resident_bytes() -> int:
    """Return what the process holds in memory (Linux)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1_024
    raise OSError("/proc/self/status says nothing of VmRSS")


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(grow(sys.argv[1], calls=int(sys.argv[2])))}\n")
