"""A server on 127.0.0.1 that answers with given bytes: what no real one does on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}


@dataclass
class Asked:
    """A request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """What it was asked, and where it is."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    closed: int = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


Part = bytes | float | Callable[[asyncio.StreamWriter], Awaitable[None]] | None
"""Bytes to send, seconds to wait, something to do, or None: break the connection off."""


def http(body: bytes = b"", *, status: int = 200, headers: dict[str, str] | None = None) -> bytes:
    """An answer with its length."""
    lines = {"content-type": "application/json", "content-length": str(len(body))}
    text = "".join(f"{name}: {value}\r\n" for name, value in (lines | (headers or {})).items())
    return f"HTTP/1.1 {status} Any\r\n{text}\r\n".encode() + body


def answer(**changes: Any) -> bytes:
    """A good answer."""
    return http(json.dumps(ANSWER | changes).encode())


EVENTS_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(payload: Any, *, name: str = "") -> bytes:
    named = f"event: {name}\n".encode() if name else b""
    return chunk(named + b"data: " + json.dumps(payload).encode() + b"\n\n")


def chat_chunk(text: str = "", *, finish: str | None = None, index: int = 0) -> dict[str, Any]:
    delta = {"content": text} if text else {}
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


DONE = chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


@asynccontextmanager
async def serving(*answers: Sequence[Part]) -> AsyncIterator[Server]:
    """Answer each request with the next of `answers`; the last is repeated."""
    server = Server()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            while True:
                await _ask(reader, server)
                parts = answers[min(len(server.asked), len(answers)) - 1]
                if not await _play(writer, parts):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            server.closed += 1
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


async def _ask(reader: asyncio.StreamReader, server: Server) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    server.asked.append(Asked(line, headers, body))


async def _play(writer: asyncio.StreamWriter, parts: Sequence[Part]) -> bool:
    for part in parts:
        match part:
            case None:
                return False
            case bytes():
                writer.write(part)
                await writer.drain()
            case float() | int():
                await asyncio.sleep(part)
            case _:
                await part(writer)
    return True
