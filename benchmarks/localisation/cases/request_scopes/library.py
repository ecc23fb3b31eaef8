"""Loans of a library."""

from __future__ import annotations

import hashlib
from collections import defaultdict

from scopes import Scope, current


class Shelf:
    def __init__(self) -> None:
        self.loans: defaultdict[int, set[str]] = defaultdict(set)

    def lend(self, reader: int, title: str) -> bool:
        with Scope("lend", title=title):
            loans = self.loans[reader]
            if len(loans) >= 5:
                oldest = min(loans)
                loans.discard(oldest)
                current().note(f"{oldest} came back from {current().tag('reader')}")
            loans.add(title)
            current().note(f"{title} for {current().tag('reader')}", units=len(loans))
            return len(loans) > 1


def shelf_mark(title: str) -> str:
    mark = title.encode()
    for _ in range(12):
        mark = hashlib.blake2b(mark, digest_size=8).digest()
    return mark.hex()
