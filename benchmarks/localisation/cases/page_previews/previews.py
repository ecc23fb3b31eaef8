"""Small pictures of pages, for albums."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from settings import Settings
from store import PageStore


@dataclass(frozen=True)
class Preview:
    number: int
    rows: tuple[str, ...]


def shrunk(body: bytes, width: int) -> list[list[int]]:
    rows = [body[start : start + width * 2] for start in range(0, len(body), width * 2)]
    return [[(row[i] + row[i + 1]) // 2 for i in range(0, len(row), 2)] for row in rows]


class PreviewService:
    def __init__(self, settings: Settings, store: PageStore) -> None:
        self.settings = settings
        self.store = store
        self.made = 0
        self._workers = ThreadPoolExecutor(max_workers=settings.cores)

    def _one(self, book: str, number: int) -> Preview:
        body = self.store.page(book, number)
        shades = self.settings.shades
        rows = tuple(
            "".join(shades[value * len(shades) // 256] for value in row)
            for row in shrunk(body, self.settings.preview_width)
        )
        return Preview(number, rows)

    def album(self, book: str, pages: int) -> list[Preview]:
        jobs = [self._workers.submit(self._one, book, number) for number in range(pages)]
        previews = []
        for job in as_completed(jobs):
            previews.append(job.result())
            self.made += 1
        return sorted(previews, key=lambda preview: preview.number)

    def close(self) -> None:
        self._workers.shutdown()
