"""The turnover of all shops."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from payments import turnover
from rates import Bank, RateCache

SHOPS = 8


def run() -> object:
    rates = RateCache(Bank(0.004))
    with ThreadPoolExecutor(max_workers=SHOPS, thread_name_prefix="shop") as pool:
        totals = list(pool.map(lambda shop: turnover(shop, rates), range(SHOPS)))
    return totals, rates.misses
