"""A stack of scanned pages."""

from __future__ import annotations

from filters import clean
from pages import Page, scan


def process(number: int) -> str:
    page = scan(number)
    return Page(page.number, page.width, page.height, clean(page.pixels)).digest()


def run() -> object:
    return [process(number) for number in range(24)]
