"""The month-end run of the accounts department."""

from __future__ import annotations

from collections import Counter

from matching import match_payments
from statement import read_invoices, read_payments, sample


def summary(lines: list[str]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for line in lines:
        counts[line.split(",")[-1]] += 1
    return dict(counts)


def run() -> object:
    payments_text, invoices_text = sample(11_000)
    payments, invoices = read_payments(payments_text), read_invoices(invoices_text)
    currencies = summary(payments_text.splitlines()[1:])
    result = match_payments(payments, invoices)
    return result.matches, len(result.unmatched), result.volume, currencies
