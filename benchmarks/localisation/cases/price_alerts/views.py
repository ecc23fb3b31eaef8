"""Pages of products, with live prices."""

from __future__ import annotations

import html

from prices import PriceFeed


class ProductView:
    def __init__(self, feed: PriceFeed, sku: str) -> None:
        self.feed, self.sku = feed, sku
        self.open_now = False
        self.markup = ""
        self.changes: list[int] = []

    def on_price(self, cents: int) -> None:
        self.changes.append(cents)

    def open(self) -> None:
        self.open_now = True
        self.feed.subscribe(self.sku, self.on_price)
        self.markup = render(self.sku, self.feed.last.get(self.sku, 0))

    def close(self) -> None:
        self.open_now = False


def render(sku: str, cents: int) -> str:
    rows = "".join(f"<li>{html.escape(f'{sku} & {number}')}</li>" for number in range(110))
    return f"<h1>{html.escape(sku)}</h1><b>{cents / 100:.2f}</b><ul>{rows}</ul>"
