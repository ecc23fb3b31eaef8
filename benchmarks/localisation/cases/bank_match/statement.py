"""Reads bank statements and the list of open invoices."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Payment:
    reference: str
    sender: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Invoice:
    number: str
    customer: str
    amount: int
    currency: str


def to_cents(text: str) -> int:
    whole, _, fraction = text.replace(",", "").partition(".")
    return int(whole) * 100 + int((fraction + "00")[:2])


def read_payments(text: str) -> list[Payment]:
    rows = csv.DictReader(io.StringIO(text))
    return [
        Payment(
            row["reference"].strip(),
            row["sender"].strip().upper(),
            to_cents(row["amount"]),
            row["currency"],
        )
        for row in rows
    ]


def read_invoices(text: str) -> list[Invoice]:
    rows = csv.DictReader(io.StringIO(text))
    return [
        Invoice(
            row["number"], row["customer"].strip().upper(), to_cents(row["amount"]), row["currency"]
        )
        for row in rows
    ]


def sample(count: int) -> tuple[str, str]:
    rng = random.Random(5)
    payments, invoices = ["reference,sender,amount,currency"], ["number,customer,amount,currency"]
    for number in range(count):
        customer, amount = f"customer {number * 7919 % count}", rng.randrange(100, 900_000)
        invoices.append(f"R{number:06},{customer},{amount // 100}.{amount % 100:02},EUR")
        if number % 3:
            payments.append(
                f"TX{number:07},{customer.title()},{amount // 100}.{amount % 100:02},EUR"
            )
    rng.shuffle(payments[1:])
    return "\n".join(payments), "\n".join(invoices)
