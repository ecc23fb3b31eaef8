"""Forecasts, kept for a while."""

from __future__ import annotations

import json
import socket
from typing import Any


class Forecasts:
    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.known: dict[str, dict[str, Any]] = {}

    def _request(self, city: str) -> dict[str, Any]:
        with socket.create_connection(self.address, timeout=10) as connection:
            connection.sendall(city.encode() + b"\n")
            with connection.makefile("rb") as answer:
                return json.loads(answer.readline())

    async def fetch(self, city: str) -> dict[str, Any]:
        return self._request(city)

    async def of_city(self, city: str) -> dict[str, Any]:
        if city not in self.known:
            self.known[city] = await self.fetch(city)
        return self.known[city]
