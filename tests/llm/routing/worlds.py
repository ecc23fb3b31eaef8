"""Small worlds for routers: prompts whose gain is known, and providers that answer from a list."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from perfwright.llm import Completion, Request, Usage
from perfwright.llm.routing import PairedOutcome

T = TypeVar("T")

WEAK, STRONG = "small", "large"


def outcomes(seed: int, *, count: int, told: float) -> list[PairedOutcome]:
    """Draw prompts about sums or stories.

    Args:
        seed: Of the draw.
        count: How many.
        told: How much more the strong model gains at sums than at stories, 0 to 1.
    """
    rng = random.Random(seed)
    return [_outcome(rng, told=told) for _ in range(count)]


def _outcome(rng: random.Random, *, told: float) -> PairedOutcome:
    is_sum = rng.random() < 0.5
    if is_sum:
        prompt = f"What is {rng.randrange(999)} * {rng.randrange(999)} + {rng.randrange(99)}?"
    else:
        names = rng.sample(["the fox", "a king", "my aunt", "the sea", "an owl"], 2)
        prompt = f"Tell me a story of {names[0]} who meets {names[1]}."
    strong = 0.9
    weak = strong - 0.25 - (told / 2.0 if is_sum else -told / 2.0)
    return PairedOutcome(
        prompt=prompt,
        weak=float(rng.random() < min(1.0, max(0.0, weak))),
        strong=float(rng.random() < strong),
    )


def request(prompt: str = "What is 2 + 2?", **fields: Any) -> Request:
    """Ask for `prompt`."""
    return Request(body={"messages": [{"role": "user", "content": prompt}], **fields})


def completion(
    text: str,
    *,
    cost_usd: float | None = 0.0,
    finish_reason: str = "stop",
    logprobs: list[float] | None = None,
    model: str = "",
) -> Completion:
    """Answer in the form of chat completions."""
    choice: dict[str, Any] = {
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish_reason,
    }
    if logprobs is not None:
        choice["logprobs"] = {"content": [{"token": "x", "logprob": value} for value in logprobs]}
    return Completion({"model": model, "choices": [choice]}, usage=Usage(), cost_usd=cost_usd)


class Provider:
    """Answers each model from a list, over and over, and remembers what it was asked."""

    def __init__(self, **answers: Sequence[Completion | Exception]) -> None:
        self._answers = answers
        self.asked: list[Request] = []

    def models(self) -> list[str]:
        """Return who was asked, in order."""
        return [request.model for request in self.asked]

    async def send(self, request: Request) -> Completion:
        """Return the next answer of the model."""
        earlier = self.models().count(request.model)
        self.asked.append(request)
        await asyncio.sleep(0)
        answers = self._answers[request.model]
        answer = answers[earlier % len(answers)]
        if isinstance(answer, Exception):
            raise answer
        return answer


def run(scene: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Play a scene on a loop of its own."""
    return asyncio.run(scene())
