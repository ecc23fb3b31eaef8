"""The printer of a university before the deadline."""

from __future__ import annotations

import random

from spool import Spool
from users import Accounts, jobs


def run() -> object:
    rng, spool, accounts = random.Random(16), Spool(), Accounts()
    recent = []
    for job in jobs(rng, 32_000):
        spool.add(job)
        recent.append(job)
        if job.number % 4 == 3:
            victim = recent[-rng.randrange(1, 40)] if len(recent) > 40 else recent[0]
            spool.cancel(victim.number, victim.user)
        if job.number % 3 == 0 and (taken := spool.take()):
            accounts.charge(taken)
    return spool.cancelled, spool.printed, sorted(accounts.cents.items())
