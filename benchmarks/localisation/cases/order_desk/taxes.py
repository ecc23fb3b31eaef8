"""Taxes by class of goods."""

from __future__ import annotations

import zlib
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache

RATES = tuple(Decimal(rate) for rate in ("0", "0.07", "0.19", "0.25"))


@cache
def rate_of(letter: int) -> Decimal:
    return RATES[letter % len(RATES)]


def tax_cents(sku: str, cents: int) -> int:
    rate = rate_of(zlib.crc32(sku.encode()) % 64)
    return int((Decimal(cents) * rate).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
