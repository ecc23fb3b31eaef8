"""Finds the invoice that a payment is for."""

from __future__ import annotations

from dataclasses import dataclass, field

from statement import Invoice, Payment


@dataclass
class Reconciliation:
    matches: list[tuple[str, str]] = field(default_factory=list)
    unmatched: list[Payment] = field(default_factory=list)
    volume: int = 0


def fits(payment: Payment, invoice: Invoice) -> bool:
    return (
        payment.amount == invoice.amount
        and payment.currency == invoice.currency
        and payment.sender == invoice.customer
    )


def match_payments(payments: list[Payment], invoices: list[Invoice]) -> Reconciliation:
    matches, unmatched = [], []
    for payment in payments:
        for invoice in invoices:
            if fits(payment, invoice):
                matches.append((payment.reference, invoice.number))
                break
        else:
            unmatched.append(payment)
    return Reconciliation(matches, unmatched, sum(payment.amount for payment in payments))
