"""Prices as they change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

Listener = Callable[[int], None]


class PriceFeed:
    def __init__(self) -> None:
        self.listeners: dict[str, list[Listener]] = defaultdict(list)
        self.last: dict[str, int] = {}

    def subscribe(self, sku: str, listener: Listener) -> None:
        self.listeners[sku].append(listener)

    def publish(self, sku: str, cents: int) -> None:
        self.last[sku] = cents
