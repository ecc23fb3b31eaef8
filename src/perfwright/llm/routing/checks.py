"""Ways to tell whether a cheap answer will do."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from math import ceil
from statistics import fmean
from typing import Any, Protocol

from perfwright.core import ConfigError
from perfwright.llm.replies import Completion
from perfwright.llm.requests import Request
from perfwright.llm.routing.schema import check_schema, problems

Ask = Callable[[Request], Awaitable[Completion]]

_REFUSAL = re.compile(
    r"\b(i'?m sorry|i am sorry|i apologi[sz]e|unfortunately)\b"
    r".{0,80}\b(can'?t|cannot|unable|not able)\b"
    r"|\bi\s*(can'?t|cannot|am unable to|'m unable to|am not able to|'m not able to|won'?t)\b"
    r".{0,40}\b(help|assist|answer|provide|comply|do that|fulfil)"
    r"|\bas an ai\b.{0,60}\b(can'?t|cannot|don'?t|unable)\b"
    r"|^\W*i (don'?t|do not) know\b",
    re.IGNORECASE | re.DOTALL,
)
_REFUSAL_CHARACTERS = 300
"""A refusal stands at the start; further on, such words are part of an answer."""

_FENCE = re.compile(r"^\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*$", re.DOTALL | re.IGNORECASE)


class Check(Protocol):
    """Looks for what is wrong with an answer."""

    extra: Mapping[str, Any]
    """Fields that the request needs, so that the answer can be checked."""

    async def problem(self, request: Request, answer: Completion, *, ask: Ask) -> str | None:
        """Return what is wrong, or None.

        Args:
            request: What the cheap model was asked.
            answer: What it said.
            ask: Asks it again, at the cascade's cost.
        """


class Answered:
    """Refuses what is empty, cut off, or says that it will not answer."""

    extra: Mapping[str, Any] = {}

    async def problem(self, request: Request, answer: Completion, *, ask: Ask) -> str | None:
        """See `Check`."""
        if answer.finish_reason in ("length", "max_tokens", "incomplete"):
            return "cut off at its length limit"
        if answer.finish_reason in ("content_filter", "refusal") or answer.message.get("refusal"):
            return "refused"
        if answer.tool_calls:
            return None
        if not answer.text.strip():
            return "empty"
        return "refused" if _REFUSAL.search(answer.text[:_REFUSAL_CHARACTERS]) else None


class FitsSchema:
    """Refuses what is not JSON of a schema; a fence of Markdown around it is forgiven.

    Raises:
        ConfigError: If the schema uses a keyword that is not checked.
    """

    extra: Mapping[str, Any] = {}

    def __init__(self, schema: Mapping[str, Any]) -> None:
        check_schema(schema)
        self._schema = schema

    async def problem(self, request: Request, answer: Completion, *, ask: Ask) -> str | None:
        """See `Check`."""
        text = answer.text
        if fenced := _FENCE.match(text):
            text = fenced.group(1)
        try:
            value = json.loads(text)
        except ValueError as error:
            return f"no JSON: {error}"
        return next(problems(value, self._schema), None)


class Verified:
    """Refuses what the caller's own test of the text refuses.

    Args:
        test: Returns whether the text is right; sync or async. What it raises is the caller's.
        name: For statistics.
    """

    extra: Mapping[str, Any] = {}

    def __init__(
        self, test: Callable[[str], bool | Awaitable[bool]], *, name: str = "test"
    ) -> None:
        self._test, self._name = test, name

    async def problem(self, request: Request, answer: Completion, *, ask: Ask) -> str | None:
        """See `Check`."""
        passed = self._test(answer.text)
        if inspect.isawaitable(passed):
            passed = await passed
        return None if passed else f"failed {self._name}"


class Confident:
    """Refuses what the model itself found improbable; asks for its log-probabilities.

    Args:
        min_mean_logprob: Natural logarithm, at most 0; -0.5 is 61 % for a token in the mean.
    """

    extra: Mapping[str, Any] = {"logprobs": True}

    def __init__(self, *, min_mean_logprob: float = -0.5) -> None:
        if min_mean_logprob > 0.0:
            raise ConfigError(
                field="min_mean_logprob", value=min_mean_logprob, problem="must be at most 0"
            )
        self._least = min_mean_logprob

    async def problem(self, request: Request, answer: Completion, *, ask: Ask) -> str | None:
        """See `Check`."""
        choices = answer.get("choices") or [{}]
        said = (choices[0].get("logprobs") or {}).get("content") or ()
        if not said:
            return "no log-probabilities"
        mean = fmean(token["logprob"] for token in said)
        return None if mean >= self._least else "improbable to its own model"


class Consistent:
    """Refuses what the model does not say again when it is asked again.

    Args:
        samples: Answers in all, the first one included.
        agreement: Share of them, 0 to 1, that must say the same as the first.
        key: What of a text is compared; by default its words, without case.
        temperature: Of the further answers: at 0 they would agree with every mistake.
    """

    extra: Mapping[str, Any] = {}

    def __init__(
        self,
        *,
        samples: int = 3,
        agreement: float = 0.6,
        key: Callable[[str], object] | None = None,
        temperature: float = 0.7,
    ) -> None:
        if samples < 2:
            raise ConfigError(field="samples", value=samples, problem="must be at least 2")
        if not 0.0 < agreement <= 1.0:
            raise ConfigError(
                field="agreement", value=agreement, problem="must be above 0 and at most 1"
            )
        self._samples, self._needed = samples, ceil(agreement * samples - 1e-9)
        self._key = key or _words
        self._temperature = temperature

    async def problem(self, request: Request, answer: Completion, *, ask: Ask) -> str | None:
        """Ask one by one, and no more than it takes to know."""
        first = self._key(answer.text)
        again = Request(
            api=request.api,
            body={**request.body, "temperature": self._temperature},
            labels=request.labels,
            priority=request.priority,
            timeout_s=request.timeout_s,
        )
        agreed = 1
        for asked in range(1, self._samples):
            if agreed >= self._needed:
                return None
            if agreed + self._samples - asked < self._needed:
                break
            agreed += self._key((await ask(again)).text) == first
        return None if agreed >= self._needed else "contradicts itself"


def _words(text: str) -> object:
    return tuple(re.findall(r"\w+", text.lower()))
