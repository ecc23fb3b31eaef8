"""An afternoon of the shop."""

from __future__ import annotations

import random
import zlib

from prices import PriceFeed
from views import ProductView

FEED = PriceFeed()


def run() -> object:
    rng, checksum = random.Random(5), 0
    for step in range(14_000):
        sku = f"sku-{rng.randrange(400)}"
        FEED.publish(sku, rng.randrange(100, 9_000))
        view = ProductView(FEED, sku)
        view.open()
        checksum = zlib.crc32(view.markup.encode(), checksum)
        view.close()
    return checksum
