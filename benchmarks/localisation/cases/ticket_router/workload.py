"""A Monday of tickets."""

from __future__ import annotations

import io
import random
import zlib

from reporting import to
from routing import Router, Team, Ticket
from texts import TOPICS


def tickets(count: int) -> list[Ticket]:
    rng = random.Random(51)
    words = sorted(word for each in TOPICS.values() for word in each)
    filler = [f"word{letter}" for letter in "abcdefghijklmnopqrst"]
    return [
        Ticket(
            number,
            rng.randrange(900),
            " ".join(rng.choices(filler, k=90) + rng.choices(words, k=rng.randrange(4))),
        )
        for number in range(count)
    ]


def run() -> object:
    stream = io.StringIO()
    to(stream)
    router = Router(
        {
            name: Team(f"{name} desk", [f"{name}-{index}" for index in range(5)])
            for name in ("payment", "delivery", "account")
        }
    )
    for ticket in tickets(15_000):
        router.route(ticket)
    report = stream.getvalue()
    return zlib.crc32(report.encode()), report.count("\n")
