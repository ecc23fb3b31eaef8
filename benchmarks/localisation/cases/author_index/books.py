"""Lists of books."""

from __future__ import annotations

import html
import random
from dataclasses import dataclass

from store_client import StoreClient


@dataclass(frozen=True)
class Book:
    number: int
    title: str
    author: int


def shelf(number: int, count: int) -> list[Book]:
    rng = random.Random(number)
    return [
        Book(index, f"Book <{rng.randrange(10**6)}>", rng.randrange(5_000))
        for index in range(count)
    ]


class BookList:
    def __init__(self, store: StoreClient) -> None:
        self.store = store

    def authors(self, books: list[Book]) -> list[str]:
        return [self.store.get(f"author:{book.author}") for book in books]

    def render(self, books: list[Book]) -> str:
        names = self.authors(books)
        rows = (
            f"<li>{html.escape(book.title)}, {html.escape(name)}</li>"
            for book, name in zip(books, names, strict=True)
        )
        return "<ul>" + "".join(rows) + "</ul>"
