"""Finds weak passwords by their hashes."""

from __future__ import annotations

import hashlib
from itertools import product

WORDS = ("summer", "winter", "secret", "dragon", "monday", "qwerty", "admin", "welcome")


def weak_passwords() -> dict[str, str]:
    known = {}
    for word, year, end in product(WORDS, range(1750, 2100), ("", *"!1#?$%&*+-=_.:;,~0")):
        for guess in (f"{word}{year}{end}", f"{word.title()}{year}{end}"):
            known[hashlib.blake2b(guess.encode(), digest_size=20).hexdigest()] = guess
    return known


WEAK = weak_passwords()


def main(*hashes: str) -> str:
    return "\n".join(WEAK.get(each, "not known") for each in hashes)
