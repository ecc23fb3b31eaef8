"""Calls as the adapter makes them, and what they take."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from perfwright.core import SpendLimitError
from perfwright.llm import Call, CallTrace, Request, Usage
from perfwright.llm.cost import CostControl, Prices
from perfwright.llm.requests import Api

MODEL = "small"
PRICES: dict[str, Any] = {
    MODEL: {"prompt": 1.0, "completion": 10.0},
    "large": {"prompt": 10, "completion": 100},
}
"""USD per 1 million tokens: a token of `small`'s prompt is one millionth."""
USAGE = Usage(prompt_tokens=12, completion_tokens=20)
COST_USD = (12 * 1.0 + 20 * 10.0) / 1e6


def prices(**overrides: Any) -> Prices:
    return Prices(PRICES | overrides, catalogue=False)


def ask(text: str = "What is it?", **body: Any) -> Request:
    labels = body.pop("labels", {})
    api = body.pop("api", Api.CHAT)
    messages = [{"role": "user", "content": text}]
    return Request(api=api, body={"model": MODEL, "messages": messages} | body, labels=labels)


def call_of(control: CostControl, request: Request) -> Call:
    prompt, completion = control.estimate(request)
    trace = CallTrace("chat", start_s=0.0, rng=random.Random(1))
    return Call(request=request, prompt_tokens=prompt, completion_tokens=completion, trace=trace)


@dataclass
class Crowd:
    """Calls that all start at once."""

    control: CostControl
    usage: Callable[[], Usage] = lambda: USAGE
    paid: int = 0
    refusals: list[SpendLimitError] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0

    async def run(self, calls: int, **body: Any) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(calls):
                group.create_task(self.one(ask(f"Question {number % 10}", **body)))

    async def one(self, request: Request) -> None:
        try:
            hold = await self.control.reserve(call_of(self.control, request))
        except SpendLimitError as error:
            self.refusals.append(error)
            return
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0.002)
        self.under_way -= 1
        self.paid += 1
        hold.settle(self.usage(), model=request.model)
