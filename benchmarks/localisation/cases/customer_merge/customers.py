"""Customers as two companies knew them."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass

FIRST = ("Anna", "Björn", "Chloé", "Dieter", "Émile", "Françoise", "Göran", "Hanna")
LAST = ("Müller", "Smith", "Nuñez", "Kowalski", "Øster", "Dupont", "Rossi", "Novák")


@dataclass(frozen=True)
class Customer:
    number: int
    name: str
    mail: str
    postcode: str
    birthday: str
    key: str


def name_key(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in plain.casefold() if letter.isalpha())


def customer(rng: random.Random, number: int) -> Customer:
    name = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
    return Customer(
        number=number,
        name=name,
        mail=f"{name_key(name)}{rng.randrange(90)}@example.org",
        postcode=f"{rng.randrange(60):05}",
        birthday=f"{rng.randrange(1950, 1953)}-{rng.randrange(1, 13):02}",
        key=name_key(name),
    )
