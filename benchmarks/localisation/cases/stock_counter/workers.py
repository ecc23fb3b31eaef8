"""People who pick orders."""

from __future__ import annotations

import hashlib
import queue
import threading

from warehouse import Warehouse


class Worker(threading.Thread):
    def __init__(
        self, warehouse: Warehouse, orders: queue.SimpleQueue[tuple[int, list[str]] | None]
    ) -> None:
        super().__init__(name="worker")
        self.warehouse = warehouse
        self.orders = orders
        self.done: list[tuple[int, str]] = []

    def run(self) -> None:
        while (order := self.orders.get()) is not None:
            number, skus = order
            labels = [self.warehouse.pick(number, sku) for sku in skus]
            self.done.append((number, self.seal(labels)))

    @staticmethod
    def seal(labels: list[str]) -> str:
        digest = "|".join(sorted(labels)).encode()
        for _ in range(120):
            digest = hashlib.sha256(digest).digest()
        return digest.hex()
