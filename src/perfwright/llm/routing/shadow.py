"""Asks the other model, too, for a sample of the traffic, and has both answers judged."""

from __future__ import annotations

import inspect
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from perfwright.core import ConfigError
from perfwright.llm.replies import Completion
from perfwright.llm.requests import Request
from perfwright.llm.routing.background import Background
from perfwright.llm.routing.gain import PairedOutcome
from perfwright.llm.routing.intervals import Interval, mean_interval, share_interval
from perfwright.llm.routing.text import prompt_of

Send = Callable[[Request], Awaitable[Completion]]

Scores = tuple[float, float]
"""How good the weak and the strong model's answer are, 0 to 1 each."""

Judge = Callable[[Request, Completion, Completion], Scores | Awaitable[Scores]]
"""Judges two answers to one request: the weak model's, then the strong one's."""


def asking(request: Request, model: str, **extra: Any) -> Request:
    """Return `request` for another model."""
    return replace(request, body={**request.body, **extra, "model": model}, raw=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """What the pairs say so far."""

    pairs: int
    weak: Interval | None
    """Success of the weak model; None without a pair."""
    strong: Interval | None
    gain: Interval | None
    """Success that the strong model adds, of the same prompts; None below two pairs."""
    cost_usd: float
    """Of the second answers; the first ones were paid for anyway."""
    unpriced: int
    """Second answers whose cost nobody knows."""
    skipped: int
    """Calls of the sample that were not doubled: too many under way, or the budget is used."""
    failed: int
    """Second answers or judgements that did not come."""
    last_failure: str
    """The newest of them."""


class ShadowEvaluation:
    """Compares two models on live traffic, beside it: no answer waits for it.

    Args:
        weak: The cheaper model's name.
        strong: The dearer one's.
        send: Asks a model; must not lead back here.
        judge: Says how good the two answers are; sync or async.
        share: Part of the answers, 0 to 1, that are doubled.
        max_usd: Ends the doubling before the second answers cost more, by the dearest one seen
            for each that is under way; None: no bound.
        max_calls: Second answers in all; None: no bound.
        max_in_flight: Second answers at once; further ones are skipped, not queued.
        keep: Newest outcomes that are kept for training.
        rng: Draws the sample.
    """

    def __init__(
        self,
        *,
        weak: str,
        strong: str,
        send: Send,
        judge: Judge,
        share: float = 0.05,
        max_usd: float | None = None,
        max_calls: int | None = None,
        max_in_flight: int = 4,
        keep: int = 10_000,
        rng: random.Random | None = None,
    ) -> None:
        if not 0.0 <= share <= 1.0:
            raise ConfigError(field="share", value=share, problem="must be from 0 to 1")
        if weak == strong:
            raise ConfigError(field="strong", value=strong, problem="is the weak model, too")
        self._models = weak, strong
        self._send, self._judge = send, judge
        self._share, self._max_usd, self._max_calls = share, max_usd, max_calls
        self._rng = rng or random.Random()
        self._background = Background(most=max_in_flight)
        self.outcomes: deque[PairedOutcome] = deque(maxlen=keep)
        """The newest pairs, for `Router.train`."""
        self._calls = self._skipped = self._failed = self._unpriced = 0
        self._cost_usd = self._dearest_usd = 0.0
        self._last_failure = ""

    def observe(
        self,
        request: Request,
        answer: Completion,
        *,
        model: str,
        then: Callable[[PairedOutcome], None] | None = None,
    ) -> bool:
        """Take an answer that was given, and perhaps have the other model asked as well.

        Args:
            request: What was asked.
            answer: What came.
            model: Which of the two gave it.
            then: Told the outcome when it is known.

        Returns:
            Whether the other model is asked.

        Raises:
            ConfigError: If `model` is neither of the two.
        """
        if model not in self._models:
            raise ConfigError(field="model", value=model, problem=f"must be one of {self._models}")
        if self._rng.random() >= self._share:
            return False
        if self._background.is_full or not self._may_spend():
            self._skipped += 1
            return False
        self._calls += 1
        self._background.run(self._double(request, answer, model=model, then=then))
        return True

    def report(self) -> ShadowReport:
        """Return what is known so far, with intervals."""
        pairs = list(self.outcomes)
        return ShadowReport(
            pairs=len(pairs),
            weak=share_interval(sum(pair.weak for pair in pairs), len(pairs)),
            strong=share_interval(sum(pair.strong for pair in pairs), len(pairs)),
            gain=mean_interval([pair.gain for pair in pairs]) if len(pairs) > 1 else None,
            cost_usd=self._cost_usd,
            unpriced=self._unpriced,
            skipped=self._skipped,
            failed=self._failed,
            last_failure=self._last_failure,
        )

    async def drain(self) -> None:
        """Wait for the comparisons that are under way."""
        await self._background.drain()

    async def aclose(self) -> None:
        """Give up the comparisons that are under way."""
        await self._background.aclose()

    def _may_spend(self) -> bool:
        if self._max_calls is not None and self._calls >= self._max_calls:
            return False
        if self._max_usd is None:
            return True
        due_usd = self._dearest_usd * (self._background.running + 1)
        return self._cost_usd + due_usd <= self._max_usd

    async def _double(
        self,
        request: Request,
        answer: Completion,
        *,
        model: str,
        then: Callable[[PairedOutcome], None] | None,
    ) -> None:
        weak, strong = self._models
        try:
            other = await self._send(asking(request, strong if model == weak else weak))
            self._book(other.cost_usd)
            pair = (answer, other) if model == weak else (other, answer)
            scores = self._judge(request, *pair)
            if inspect.isawaitable(scores):
                scores = await scores
            outcome = PairedOutcome(prompt=prompt_of(request), weak=scores[0], strong=scores[1])
            self.outcomes.append(outcome)
            if then is not None:
                then(outcome)
        except Exception as error:  # noqa: BLE001 - provider and judge are others' code; reported
            self._failed += 1
            self._last_failure = f"{type(error).__name__}: {error}"

    def _book(self, cost_usd: float | None) -> None:
        if cost_usd is None:
            self._unpriced += 1
            return
        self._cost_usd += cost_usd
        self._dearest_usd = max(self._dearest_usd, cost_usd)
