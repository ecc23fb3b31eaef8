"""The nightly synchronisation."""

from __future__ import annotations

import asyncio

from shop_client import ShopClient
from sync import synchronise


def run() -> object:
    return sorted(map(str, asyncio.run(synchronise(ShopClient(latency_s=0.025))).values()))
