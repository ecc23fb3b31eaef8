"""Talks to the key-value store."""

from __future__ import annotations

import socket


class StoreClient:
    def __init__(self, port: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._connection.makefile("rb")
        self.requests = 0

    def _ask(self, line: str) -> str:
        self.requests += 1
        self._connection.sendall(line.encode() + b"\n")
        return self._answers.readline().decode().rstrip("\n")

    def get(self, key: str) -> str:
        return self._ask(key)

    def get_many(self, keys: list[str]) -> list[str]:
        return self._ask(" ".join(keys)).split("\t") if keys else []

    def close(self) -> None:
        self._answers.close()
        self._connection.close()
