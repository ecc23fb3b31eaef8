"""The market data of a game is sent to all who play."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

import socketio


class Line:
    """What one player's connection was given."""

    def __init__(self) -> None:
        self.packets = 0
        self.size = 0

    async def send(self, packet: Any) -> None:
        self.packets += 1
        self.size += len(zlib.compress(packet.data.encode(), 1))


def offers(tick: int) -> list[dict[str, Any]]:
    return [
        {"item": f"item-{n}", "bid": tick + n * 0.5, "ask": tick + n * 0.75, "left": n * 3}
        for n in range(60)
    ]


def best(market: list[dict[str, Any]]) -> str:
    return min(market, key=lambda offer: (offer["ask"] - offer["bid"], offer["item"]))["item"]


async def play(players: int, ticks: int) -> list[Any]:
    server = socketio.AsyncServer(async_mode="asgi")
    lines = {f"player{n}": Line() for n in range(players)}

    async def send_packet(sid: str, packet: Any) -> None:
        await lines[sid].send(packet)

    server.eio.send_packet = send_packet
    for name in lines:
        server.manager.connect(name, "/")
    hot = []
    for tick in range(ticks):
        market = offers(tick)
        hot.append(best(market))
        await server.emit("market", {"tick": tick, "offers": market})
    return [hot, [(line.packets, line.size) for line in lines.values()]]


def run() -> object:
    return asyncio.run(play(130, 60))
