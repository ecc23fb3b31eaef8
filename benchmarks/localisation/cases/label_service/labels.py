"""Labels for parcels."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from addresses import AddressBook
from drawing import Drawer


@dataclass(frozen=True)
class Parcel:
    number: int
    customer: int
    grams: int

    @property
    def code(self) -> str:
        return f"P{self.number:09d}"


class Labels:
    def __init__(self, book: AddressBook, drawer: Drawer) -> None:
        self.book = book
        self.drawer = drawer
        self.symbols: dict[str, list[str]] = {}

    async def symbol(self, text: str) -> list[str]:
        if text not in self.symbols:
            self.symbols[text] = self.drawer.draw(text, height=12)
        return self.symbols[text]

    async def of_parcel(self, parcel: Parcel) -> str:
        address = await self.book.address(parcel.customer)
        bars = await self.symbol(parcel.code)
        lines = [*textwrap.wrap(address, 24), f"{parcel.grams / 1000:.3f} kg", *bars]
        width = max(map(len, lines))
        return "\n".join(line.center(width) for line in lines)
