"""Several threads shorten the links of a news site; results are kept for a while."""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from cachetools import RRCache, cached

STORE: RRCache[object, str] = RRCache(maxsize=6_000)


@cached(STORE, lock=Lock())
def short(url: str) -> str:
    digest = url.encode()
    for _ in range(20):
        digest = hashlib.sha256(digest).digest()
    return digest.hex()[:10]


def page(number: int) -> int:
    rng = random.Random(number)
    urls = [f"https://example.org/news/{rng.randrange(60_000)}" for _ in range(250)]
    return sum(int(short(url), 16) for url in urls) % 1_000_003


def run() -> object:
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(page, range(200))), STORE.currsize
