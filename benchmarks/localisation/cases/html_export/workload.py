"""Exports the sales of a quarter."""

from __future__ import annotations

import hashlib

from page import Page
from sales import REGIONS, sales, summary


def run() -> object:
    page = Page()
    for region in REGIONS:
        rows = list(sales(region, 5_000))
        page.heading(f"{region}: {summary(rows)}")
        for row in rows:
            page.row(row)
    text = page.text()
    return page.rows, hashlib.sha256(text.encode()).hexdigest()
