"""What a sales department knows."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import date, timedelta

from exchange import Exchangeable, exported


@dataclass
class Contact(Exchangeable):
    first: str
    last: str
    phone: str
    since: date
    tags: list[str] = field(default_factory=list)

    @exported("display_name")
    def display_name(self) -> str:
        return f"{self.last.upper()}, {self.first}"

    @exported("sort_key")
    def sort_key(self) -> str:
        normal = unicodedata.normalize("NFKD", f"{self.last} {self.first}".casefold())
        return "".join(each for each in normal if not unicodedata.combining(each))

    @exported("phone")
    def dialled(self) -> str:
        digits = "".join(filter(str.isdigit, self.phone))
        return f"+{digits.removeprefix('00')}" if digits.startswith("00") else digits

    @exported("tags")
    def joined_tags(self) -> str:
        return ";".join(sorted(set(self.tags)))

    @property
    def initials(self) -> str:
        return self.first[0] + self.last[0]


@dataclass
class Deal(Exchangeable):
    number: int
    owner: Contact
    cents: int
    closes: date
    chance: int

    @exported("deal")
    def label(self) -> str:
        return f"D{self.number:07}/{self.owner.initials}"

    @exported("expected")
    def expected(self) -> str:
        return f"{self.cents * self.chance / 10_000:.2f}"

    @exported("quarter")
    def quarter(self) -> str:
        return f"{self.closes.year}Q{(self.closes.month + 2) // 3}"

    @exported("remind")
    def remind(self) -> str:
        return (self.closes - timedelta(days=self.closes.weekday() + 7)).isoformat()
