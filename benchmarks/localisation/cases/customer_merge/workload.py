"""Two companies become one."""

from __future__ import annotations

import random

from customers import customer
from merge import find_duplicates, survivors


def run() -> object:
    rng = random.Random(19)
    customers = [customer(rng, number) for number in range(9_000)]
    pairs = find_duplicates(customers)
    return len(pairs), [each.name for each in survivors(customers, pairs)][:50]
