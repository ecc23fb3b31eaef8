"""Invoices in the way that each tenant wants them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from settings import Settings


@dataclass
class Invoice:
    tenant: str
    amounts: list[int]


def read(line: str) -> Invoice:
    row = json.loads(line)
    return Invoice(row["tenant"], row["amounts"])


def render(invoice: Invoice, settings: Settings) -> str:
    currency = settings.get(f"tenants.{invoice.tenant}.currency", "EUR")
    total = sum(invoice.amounts)
    if settings.flag(invoice.tenant, "vat"):
        total = total * 119 // 100
    rows = "".join(f"{amount / 100:>10.2f}\n" for amount in invoice.amounts)
    return f"{invoice.tenant}\n{rows}{total / 100:>10.2f} {currency}"
