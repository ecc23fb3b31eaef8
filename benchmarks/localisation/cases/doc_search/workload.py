"""Colleagues search the archive."""

from __future__ import annotations

import random

from permissions import Permissions, service
from search_pages import Search
from texts import STOCK, Index, archive
from transport import Channel


def run() -> object:
    rng = random.Random(5)
    search = Search(Index(archive(4_000)), Permissions(Channel(service, travel_s=0.001)))
    return [
        search.page(f"user-{rng.randrange(30)}", " ".join(rng.sample(STOCK, 2))) for _ in range(45)
    ]
