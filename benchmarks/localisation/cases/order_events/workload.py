"""A day of a shop."""

from __future__ import annotations

import handlers
from shop_floor import till
from subscriptions import publish


def run() -> object:
    delivered = sum(publish(topic, message) for topic, message in till(15_000))
    return (
        delivered,
        sorted(handlers.revenue.items()),
        sorted(handlers.stock.items()),
        sorted(handlers.largest),
        handlers.suspicious,
        len(handlers.labels),
        handlers.seals[-50:],
        sorted((town, sum(sizes)) for town, sizes in handlers.towns.items()),
    )
