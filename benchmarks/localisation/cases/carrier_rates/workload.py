"""A shop renews its tables of postage at night."""

from __future__ import annotations

import asyncio

from link import Link
from session import Session
from tables import Tables

DEPOTS = ("ams", "ber", "cph")


async def night() -> object:
    tables = Tables(Session(Link()))
    targets = [f"zone{number:02d}" for number in range(36)]
    found = {}
    for depot in DEPOTS:
        found[depot] = await tables.all_from(depot, targets)
    return found, sorted(tables.missing), tables.session.received


def run() -> object:
    return asyncio.run(night())
