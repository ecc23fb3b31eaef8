"""A board puts together what its tiles say."""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from metrics_store import MetricsStore


@dataclass(frozen=True)
class Scope:
    store: MetricsStore
    role: str
    minute: int


Loader = Callable[[Scope], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Tile:
    key: str
    roles: frozenset[str]
    loader: Loader

    def meant_for(self, scope: Scope) -> bool:
        return scope.role in self.roles

    async def load(self, scope: Scope) -> dict[str, Any]:
        return {"title": self.key.title(), **await self.loader(scope)}


KNOWN: dict[str, Tile] = {}


def tile(key: str, *roles: str) -> Callable[[Loader], Loader]:
    def register(loader: Loader) -> Loader:
        KNOWN[key] = Tile(key, frozenset(roles), loader)
        return loader

    return register


class Board:
    def __init__(self, keys: list[str]) -> None:
        self.tiles = [KNOWN[key] for key in keys]
        self.shown = 0

    async def snapshot(self, scope: Scope) -> dict[str, dict[str, Any]]:
        return {tile.key: await tile.load(scope) for tile in self.tiles if tile.meant_for(scope)}

    async def show(self, scope: Scope) -> str:
        parts = await self.snapshot(scope)
        self.shown += 1
        return "".join(self.section(key, part) for key, part in parts.items())

    def section(self, key: str, part: dict[str, Any]) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(str(name))}</td><td>{html.escape(str(value))}</td></tr>"
            for name, value in sorted(part.items())
        )
        return f"<section id='{html.escape(key)}'><table>{rows}</table></section>"
