"""A season at the counter."""

from __future__ import annotations

from counter import Counter
from orders import queue


def run() -> object:
    counter = Counter()
    cents = sum(counter.serve(order).cents for order in queue(5_000))
    return cents, counter.printed, counter.labels.most_common(), list(counter.recent)
