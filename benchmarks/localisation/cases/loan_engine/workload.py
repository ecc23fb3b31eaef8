"""Decides on the requests of a week."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from people import applicants
from rules import decide


def run() -> object:
    grades: Counter[str] = Counter()
    interest = Decimal(0)
    for applicant in applicants(20_000):
        mark, cost = decide(applicant)
        grades[mark] += 1
        interest += cost
    return sorted(grades.items()), interest
