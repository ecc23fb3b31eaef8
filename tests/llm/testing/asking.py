"""Asking the simulated provider with nothing but the standard library."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

from perfwright.llm.testing import SimulatedProvider

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The data of a stream, in order; `[DONE]` stays a string."""
        lines = [line for line in self.body.decode().splitlines() if line.startswith("data: ")]
        data = [line.removeprefix("data: ") for line in lines]
        return [text if text == "[DONE]" else json.loads(text) for text in data]


def chat(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "sim", "messages": [{"role": "user", "content": text}], **more}


def post(
    provider: SimulatedProvider,
    path: str,
    body: dict[str, Any] | bytes,
    *,
    headers: dict[str, str] | None = None,
) -> Answered:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return _send(provider, "POST", path, content=content, headers=headers)


def get(
    provider: SimulatedProvider, path: str, *, headers: dict[str, str] | None = None
) -> Answered:
    return _send(provider, "GET", path, content=None, headers=headers)


def _send(
    provider: SimulatedProvider,
    method: str,
    path: str,
    *,
    content: bytes | None,
    headers: dict[str, str] | None,
) -> Answered:
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=TIMEOUT_S)
    try:
        connection.request(method, f"/v1{path}", body=content, headers=headers or {})
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answered(response.status, named, response.read())
    finally:
        connection.close()


def raw(provider: SimulatedProvider, data: bytes, *, until: bytes) -> bytes:
    """Write bytes, and read until some have come."""
    with socket.create_connection(("127.0.0.1", provider.port), timeout=TIMEOUT_S) as client:
        client.sendall(data)
        read = b""
        while until not in read:
            if not (more := client.recv(65536)):
                break
            read += more
        return read
