"""Deterministic traffic: visitors who browse, search, log in, buy and work in the back office."""

import argparse
import asyncio
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import httpx
from starlette.applications import Starlette

from shop.app import build_app
from shop.database import MissingDatabaseError, Observer
from shop.identity import NOW, STAFF_ID, session_token
from shop.services import Shop, open_shop
from shop.settings import Settings
from shop.visitors import Role, Visitor, act
from shop.vocabulary import BROWSERS

MAX_PAUSE_S = 12.0
FIRST_CUSTOMER = 2  # after the staff; the first customers are wholesalers with many orders
FIRST_GUEST = 40

SHARES: Mapping[Role, int] = {Role.CRAWLER: 25, Role.GUEST: 33, Role.CUSTOMER: 33, Role.STAFF: 9}
"""Of 100 requests."""
CROWD: Mapping[Role, int] = {Role.CRAWLER: 2, Role.GUEST: 12, Role.CUSTOMER: 12, Role.STAFF: 1}
"""How many visitors there are."""


@dataclass(slots=True, kw_only=True)
class Clock:
    """The time of the traffic, which stands still during a request."""

    now: datetime = NOW


def open_quiet_shop(
    settings: Settings, *, clock: Clock, seed: int, observe: Observer | None = None
) -> Shop:
    """Open the shop with the traffic's clock and with tokens that follow from the seed."""
    tokens = Random(f"tokens {seed}")
    return open_shop(
        settings,
        clock=lambda: clock.now,
        new_token=lambda: f"{tokens.getrandbits(64):016x}",
        observe=observe,
    )


async def drive(shop: Shop, *, clock: Clock, requests: int, seed: int) -> Counter[tuple[str, int]]:
    """Send requests one after another and return how often each step got each status.

    Args:
        shop: The shop to visit, made by `open_quiet_shop`.
        clock: The clock that the shop was made with; it moves on between requests.
        requests: How many.
        seed: Decides who does what and when.
    """
    rng = Random(f"traffic {seed}")
    app = build_app(shop.settings, shop=shop)
    crowd = {role: [_visitor(app, role, place=n) for n in range(CROWD[role])] for role in Role}
    outcomes: Counter[tuple[str, int]] = Counter()
    for _ in range(requests):
        role = rng.choices(list(SHARES), weights=list(SHARES.values()))[0]
        outcomes[await act(rng.choice(crowd[role]), rng)] += 1
        clock.now += timedelta(seconds=rng.uniform(0.5, MAX_PAUSE_S))
    return outcomes


def _visitor(app: Starlette, role: Role, *, place: int) -> Visitor:
    """Return a visitor; every other customer comes back with the cookie of an earlier visit."""
    http = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://shop.example",
        headers={"user-agent": BROWSERS[place % len(BROWSERS)]},
    )
    first = {Role.STAFF: STAFF_ID, Role.CUSTOMER: FIRST_CUSTOMER}.get(role, FIRST_GUEST)
    returning = role is Role.CUSTOMER and place % 2 == 0
    if returning:
        # The seeded session n belongs to customer n + 1 if n is odd.
        http.cookies.set("session", session_token(place + 1), domain="shop.example")
    return Visitor(role=role, customer_id=first + place, http=http, logged_in=returning)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m shop.traffic",
        description=f"{__doc__} The shop's database is found as by the server (SHOP_DB).",
    )
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    clock = Clock()
    try:
        shop = open_quiet_shop(Settings.from_env(os.environ), clock=clock, seed=options.seed)
    except MissingDatabaseError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        outcomes = asyncio.run(
            drive(shop, clock=clock, requests=options.requests, seed=options.seed)
        )
    finally:
        shop.db.close()
    for (step, status), count in sorted(outcomes.items()):
        print(f"{step:<16} {status} {count:>5}")
    return 1 if any(status >= 500 for _, status in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
