"""Requests for routes through a town; most ask for the same few at the same time."""

from __future__ import annotations

import heapq
import json
from concurrent.futures import ThreadPoolExecutor

from cachetools.func import lru_cache

SIDE = 110


@lru_cache(maxsize=512)
def route(start: int, end: int) -> int:
    best = {start: 0}
    front = [(0, start)]
    while front:
        length, node = heapq.heappop(front)
        if node == end:
            return length
        for step in (1, -1, SIDE, -SIDE):
            other = node + step
            if 0 <= other < SIDE * SIDE:
                further = length + 1 + (node * 7 + other) % 9
                if further < best.get(other, 10**9):
                    best[other] = further
                    heapq.heappush(front, (further, other))
    return -1


def answer(request: str) -> int:
    query = json.loads(request)
    legs = zip(query["stops"], query["stops"][1:])
    return sum(route(start, end) for start, end in legs) + len(query["note"])


def run() -> object:
    pairs = [(number * 37 % 900, SIDE * SIDE - 1 - number * 91 % 900) for number in range(22)]
    requests = [
        json.dumps({"stops": list(pair), "note": "x" * (number % 5)})
        for pair in pairs
        for number in range(6)
    ]
    with ThreadPoolExecutor(6) as pool:
        return list(pool.map(answer, requests))
