"""Where orders are taken, shown, printed and billed."""

from __future__ import annotations

import zlib
from collections import Counter as Tally
from collections import deque
from typing import NamedTuple

from orders import Order
from sheets import Sheet


class Bill(NamedTuple):
    order: int
    cents: int
    printed: int


class Counter:
    def __init__(self, *, margin: int = 12) -> None:
        self.margin = margin
        self.recent: deque[Bill] = deque(maxlen=50)
        self.labels: Tally[str] = Tally()
        self.printed = 0

    def serve(self, order: Order) -> Bill:
        sheet = Sheet(order.number, order.lines())
        wrong = sheet.overfull(self.margin)
        preview = zlib.compress(sheet.render(self.margin), 1)
        data = sheet.render(self.margin)
        self.printed = zlib.crc32(data, self.printed)
        self.labels[order.customer] += order.amount
        bill = Bill(order.number, order.amount * 9 + 30 * len(wrong), len(preview))
        self.recent.append(bill)
        return bill
