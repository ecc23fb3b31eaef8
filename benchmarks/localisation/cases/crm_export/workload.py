"""The nightly export."""

from __future__ import annotations

import random
from datetime import date, timedelta
from hashlib import sha256

from feeds import CsvFeed, LinesFeed
from records import Contact, Deal


def run() -> object:
    rng, start = random.Random(9), date(2029, 1, 3)
    contacts = [
        Contact(
            rng.choice(("Zoë", "Jörg", "Anaïs", "Bob", "Łucja")),
            f"{rng.choice(('Müller', 'García', 'Smith', 'Nowak'))}-{number % 700}",
            f"00{rng.randrange(10**9):,}".replace(",", " "),
            start + timedelta(days=rng.randrange(900)),
            rng.choices(("vip", "lead", "press", "partner"), k=3),
        )
        for number in range(26_000)
    ]
    deals = [
        Deal(number, rng.choice(contacts), rng.randrange(10**7), start, rng.randrange(100))
        for number in range(18_000)
    ]
    feeds = CsvFeed(contacts), LinesFeed(deals), CsvFeed(deals)
    return [sha256(feed.write().encode()).hexdigest() for feed in feeds]
