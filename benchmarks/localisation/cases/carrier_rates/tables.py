"""Tables of prices, in steps that people can remember."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from session import RefusedError, Session


@dataclass(frozen=True)
class Step:
    up_to_kilo: int
    cents: int


def steps(prices: dict[str, int], *, tolerance: int = 60) -> list[Step]:
    found: list[Step] = []
    start = None
    for kilo, cents in sorted((int(kilo), cents) for kilo, cents in prices.items()):
        if start is None or cents - start > tolerance:
            found.append(Step(kilo, cents))
            start = cents
        else:
            found[-1] = Step(kilo, found[-1].cents)
    return found


class Tables:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.missing: list[str] = []

    async def one(self, origin: str, target: str) -> list[Step]:
        path = f"/rates/{origin}/{target}"
        try:
            answer: dict[str, Any] = await self.session.get(path)
        except RefusedError:
            self.missing.append(path)
            return []
        return steps(answer["prices"])

    async def all_from(self, origin: str, targets: list[str]) -> dict[str, list[Step]]:
        answers = await asyncio.gather(*(self.one(origin, target) for target in targets))
        return dict(zip(targets, answers, strict=True))
