"""A morning in the warehouse."""

from __future__ import annotations

import queue
import random

from warehouse import Printer, Warehouse
from workers import Worker

WORKERS = 6


def run() -> object:
    rng = random.Random(9)
    warehouse = Warehouse({f"sku-{number}": 10_000 for number in range(60)}, Printer(0.002))
    orders: queue.SimpleQueue[tuple[int, list[str]] | None] = queue.SimpleQueue()
    workers = [Worker(warehouse, orders) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for number in range(180):
        orders.put((number, [f"sku-{rng.randrange(60)}" for _ in range(rng.randrange(1, 6))]))
    for _ in workers:
        orders.put(None)
    for worker in workers:
        worker.join()
    return sorted(item for worker in workers for item in worker.done), warehouse.picked
