"""Rows of a ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Row:
    day: int
    account: int
    cents: int
    text: str
    partner: str = ""
    balance: int = 0

    def with_partner(self, partner: str) -> Row:
        return replace(self, partner=partner)

    def with_balance(self, balance: int) -> Row:
        return replace(self, balance=balance)


def parsed(line: str) -> Row:
    day, account, cents, *words = line.split(";")
    return Row(int(day), int(account), int(cents), " ".join(words).strip().capitalize())
