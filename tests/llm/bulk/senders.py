"""What the tests of bulk send through: calls that are counted, and answer or fail as told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from perfwright.core import ProviderDownError
from perfwright.llm import Completion, Request, Usage

USAGE = Usage(prompt_tokens=7, cached_tokens=2, completion_tokens=3)


def ask(text: str, **body: object) -> Request:
    """Return a request with one user message."""
    return Request(body={"model": "m", "messages": [{"role": "user", "content": text}], **body})


def asks(count: int) -> list[Request]:
    """Return requests whose prompts are their numbers."""
    return [ask(str(number)) for number in range(count)]


def prompt(request: Request) -> str:
    """Return the text of the last message."""
    return str(request.messages[-1]["content"])


def answer(text: str, *, cost_usd: float | None = 0.01) -> Completion:
    """Return a completion with this text."""
    payload = {"model": "m-1", "choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    return Completion(payload, usage=USAGE, cost_usd=cost_usd, endpoint="e")


class Sender:
    """Echoes each prompt after `delay_s(prompt)`; prompts of `fails` raise instead."""

    def __init__(
        self,
        *,
        delay_s: Callable[[str], float] = lambda _: 0.0,
        fails: frozenset[str] = frozenset(),
    ) -> None:
        self._delay_s, self.fails = delay_s, fails
        self.asked: list[str] = []
        self.cancelled: list[str] = []
        self.in_flight = self.most_in_flight = 0

    async def __call__(self, request: Request) -> Completion:
        text = prompt(request)
        self.asked.append(text)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self._delay_s(text))
        except asyncio.CancelledError:
            self.cancelled.append(text)
            raise
        finally:
            self.in_flight -= 1
        if text in self.fails:
            raise ProviderDownError(endpoint="e", problem=f"no answer to {text}", status=503)
        return answer(f"echo {text}")
