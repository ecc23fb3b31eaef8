"""A statement is what comes out at the end of all stages."""

from __future__ import annotations

from sources import Ledger, Registry
from stages import balanced, named, read, sealed, settled


async def statement(ledger: Ledger, registry: Registry) -> list[str]:
    rows = settled(read(ledger.stream()), least_cents=2_000)
    return [
        f"{row.day:4} {row.partner:<24} {row.cents / 100:>10.2f} {row.balance / 100:>12.2f} {seal[:12]}"
        async for row, seal in sealed(balanced(named(rows, registry), start=500_000))
    ]
