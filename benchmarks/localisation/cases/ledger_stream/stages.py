"""Stages that rows pass through; each pulls from the one before."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator

from rows import Row, parsed
from sources import Registry


async def read(lines: AsyncIterable[str]) -> AsyncIterator[Row]:
    async for line in lines:
        yield parsed(line)


async def settled(rows: AsyncIterable[Row], *, least_cents: int) -> AsyncIterator[Row]:
    async for row in rows:
        if abs(row.cents) >= least_cents:
            yield row


async def named(rows: AsyncIterable[Row], registry: Registry) -> AsyncIterator[Row]:
    async for row in rows:
        partner = await registry.partner(row.account)
        yield row.with_partner(partner)


async def balanced(rows: AsyncIterable[Row], start: int) -> AsyncIterator[Row]:
    balance = start
    async for row in rows:
        balance += row.cents
        yield row.with_balance(balance)


async def sealed(rows: AsyncIterable[Row]) -> AsyncIterator[tuple[Row, str]]:
    seal = b""
    async for row in rows:
        for _ in range(220):
            seal = hashlib.sha256(seal + repr(row).encode()).digest()
        yield row, seal.hex()
        await asyncio.sleep(0)
