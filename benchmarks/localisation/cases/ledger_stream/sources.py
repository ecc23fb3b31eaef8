"""Where rows and names come from."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator


class Ledger:
    """Hands out its lines in pages; each page tells where the next begins."""

    def __init__(self, branch: int, lines: int, *, page: int = 40) -> None:
        self.branch = branch
        self.lines = lines
        self.page = page

    async def _page(self, start: int) -> tuple[str, int | None]:
        await asyncio.sleep(0.012)
        end = min(start + self.page, self.lines)
        paper = io.StringIO()
        csv.writer(paper, delimiter=";").writerows(
            (n // 9, (n * 37 + self.branch) % 500, (n * 7_919) % 90_000 - 30_000, "transfer", n)
            for n in range(start, end)
        )
        return paper.getvalue(), end if end < self.lines else None

    async def stream(self) -> AsyncIterator[str]:
        start: int | None = 0
        while start is not None:
            text, start = await self._page(start)
            for line in text.splitlines():
                yield line


class Registry:
    """Names of partners; takes many questions at a time."""

    def __init__(self, *, at_once: int = 50) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self.asked = 0

    async def partner(self, account: int) -> str:
        async with self._slots:
            self.asked += 1
            await asyncio.sleep(0.005 + account % 3 / 1000)
            return f"Partner {account:04d} & Sons"
