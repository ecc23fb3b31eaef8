"""What readers ask for at the desk."""

from __future__ import annotations

from library import Shelf, shelf_mark
from scopes import Scope


class Desk:
    def __init__(self) -> None:
        self.shelf = Shelf()
        self.answered = 0

    def handle(self, reader: int, wish: str) -> str:
        with Scope("request", reader=reader, wish=wish) as scope:
            titles = [shelf_mark(f"{wish} {volume}") for volume in range(3)]
            scope.note(f"{len(titles)} volumes")
            kept = [title for title in titles if self.shelf.lend(reader, title)]
            self.answered += 1
            return f"{reader}: {','.join(kept)}"
