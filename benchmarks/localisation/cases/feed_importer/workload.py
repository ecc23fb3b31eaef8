"""A night of imports, from publishers of mixed quality."""

from __future__ import annotations

from failures import Failures
from feeds import packed
from importer import Importer

IMPORTER = Importer(Failures())


def run() -> object:
    taken = 0
    for number in range(9_000):
        taken += IMPORTER.take(f"publisher {number % 25}", number, packed(number))
    failures = IMPORTER.failures
    pages = [failures.page(f"publisher {number}") for number in range(25)]
    return taken, sum(IMPORTER.best.values()), sorted(failures.totals().items()), pages
