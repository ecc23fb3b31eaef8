"""The gazetteer, for coroutines."""

from __future__ import annotations

from gazetteer import Gazetteer, Position


class Places:
    def __init__(self, gazetteer: Gazetteer) -> None:
        self.gazetteer = gazetteer
        self.known: dict[str, Position] = {}

    async def position(self, name: str) -> Position:
        return self.gazetteer.look_up(name).result(timeout=5)

    async def stops(self, names: list[str]) -> list[Position]:
        for name in names:
            if name not in self.known:
                self.known[name] = await self.position(name)
        return [self.known[name] for name in names]
