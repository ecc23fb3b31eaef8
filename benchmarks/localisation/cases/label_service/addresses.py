"""Where customers live."""

from __future__ import annotations

import asyncio


class AddressBook:
    def __init__(self) -> None:
        self.asked = 0

    async def address(self, customer: int) -> str:
        self.asked += 1
        await asyncio.sleep(0.006)
        return f"Customer {customer}, {customer % 90} Long Winding Street, {customer:05d} Somewhere"
