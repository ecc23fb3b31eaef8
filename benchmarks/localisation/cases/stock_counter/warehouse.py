"""Stock, and labels for what is taken from it."""

from __future__ import annotations

import threading
import time
import zlib


class Printer:
    """A printer in the network."""

    def __init__(self, latency_s: float) -> None:
        self.latency_s = latency_s

    def label(self, text: str) -> str:
        time.sleep(self.latency_s)
        return f"{text}-{zlib.crc32(text.encode()):08x}"


class Warehouse:
    def __init__(self, stock: dict[str, int], printer: Printer) -> None:
        self.stock = stock
        self.printer = printer
        self.picked = 0
        self._lock = threading.Lock()

    def place(self, sku: str) -> str:
        return f"{zlib.crc32(sku.encode()) % 40}-{len(sku)}"

    def pick(self, order: int, sku: str) -> str:
        with self._lock:
            if self.stock.get(sku, 0) <= 0:
                return "sold out"
            self.stock[sku] -= 1
            self.picked += 1
            label = self.printer.label(f"{order}/{sku}/{self.place(sku)}")
        return label
