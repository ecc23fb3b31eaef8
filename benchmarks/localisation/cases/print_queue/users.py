"""Who prints, and what it costs."""

from __future__ import annotations

import random
from collections import Counter

from spool import PrintJob


class Accounts:
    def __init__(self) -> None:
        self.cents: Counter[str] = Counter()

    def charge(self, job: PrintJob) -> None:
        self.cents[job.user] += 5 * job.pages - (job.pages > 50) * job.pages


def jobs(rng: random.Random, count: int) -> list[PrintJob]:
    return [
        PrintJob(number, f"user{rng.randrange(300)}", rng.randrange(1, 90))
        for number in range(count)
    ]
