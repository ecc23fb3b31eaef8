"""Asks the cheap model, checks what it says, and only then the strong one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from perfwright.core import BreakerOpenError, ProviderError
from perfwright.llm.replies import Completion
from perfwright.llm.requests import Request
from perfwright.llm.routing.checks import Answered, Check
from perfwright.llm.routing.gain import PairedOutcome
from perfwright.llm.routing.intervals import Interval, share_interval
from perfwright.llm.routing.shadow import Send, ShadowEvaluation, asking

GOOD = 0.5
"""Success from which on a judged answer counts as right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeReport:
    """What a cascade did, cost and saved."""

    asked: int
    accepted: int
    """Answered by the weak model alone."""
    problems: dict[str, int]
    """Why the strong model had to be asked, by reason."""
    weak_usd: float
    """Of all calls of the weak model, repeated ones for checks included."""
    strong_usd: float
    saved_usd: float | None
    """Against asking the strong model always, at its mean cost here; below 0: the cascade costs
    more. None until it was asked, or where a cost is not known."""
    unpriced: int
    """Calls whose cost nobody knows; they are in no sum."""
    precision: Interval | None
    """Share of the accepted answers that a judge found right; None until one was judged."""
    judged: int


class Cascade:
    """Saves the strong model's price wherever a check finds the weak one's answer good enough.

    Args:
        weak: The cheaper model's name.
        strong: The dearer one's.
        send: Asks a model.
        checks: Applied in order, the cheapest first; the first problem ends them.
        shadow: Has a sample of the accepted answers judged, so that the checks' own precision is
            known; without it, it is not.
    """

    def __init__(
        self,
        *,
        weak: str,
        strong: str,
        send: Send,
        checks: Sequence[Check] = (Answered(),),
        shadow: ShadowEvaluation | None = None,
    ) -> None:
        self._weak, self._strong, self._send = weak, strong, send
        self._checks, self._shadow = checks, shadow
        self._extra = {name: value for check in checks for name, value in check.extra.items()}
        self._asked = self._accepted = self._judged = self._right = self._unpriced = 0
        self._strong_answers = 0
        self._weak_usd = self._strong_usd = 0.0
        self._problems: Counter[str] = Counter()

    async def complete(self, request: Request) -> Completion:
        """Return an answer that passed every check, or the strong model's.

        Raises:
            LLMError: If the strong model failed, or a budget allows no call. A failure of the weak
                model is a reason to ask the strong one.
        """
        self._asked += 1
        cheap = asking(request, self._weak, **self._extra)
        answer, problem = await self._try(cheap)
        if answer is not None and problem is None:
            self._accepted += 1
            if self._shadow is not None:
                self._shadow.observe(request, answer, model=self._weak, then=self._judge)
            return answer
        self._problems[str(problem).split(":", 1)[0]] += 1
        best = await self._send(asking(request, self._strong))
        self._strong_answers += 1
        self._strong_usd += self._priced(best)
        return best

    def report(self) -> CascadeReport:
        """Return what was done so far."""
        return CascadeReport(
            asked=self._asked,
            accepted=self._accepted,
            problems=dict(self._problems),
            weak_usd=self._weak_usd,
            strong_usd=self._strong_usd,
            saved_usd=self._saved_usd(),
            unpriced=self._unpriced,
            precision=share_interval(self._right, self._judged),
            judged=self._judged,
        )

    async def _try(self, cheap: Request) -> tuple[Completion | None, str | None]:
        """Return the weak model's answer and what is wrong with it."""
        try:
            answer = await self._ask(cheap)
            for check in self._checks:
                problem = await check.problem(cheap, answer, ask=self._ask)
                if problem is not None:
                    return answer, problem
        except (BreakerOpenError, ProviderError) as error:
            return None, f"{type(error).__name__}: {error}"
        return answer, None

    async def _ask(self, request: Request) -> Completion:
        answer = await self._send(request)
        self._weak_usd += self._priced(answer)
        return answer

    def _priced(self, answer: Completion) -> float:
        if answer.cost_usd is None:
            self._unpriced += 1
            return 0.0
        return answer.cost_usd

    def _judge(self, outcome: PairedOutcome) -> None:
        self._judged += 1
        self._right += outcome.weak >= GOOD

    def _saved_usd(self) -> float | None:
        if self._unpriced or not self._strong_answers:
            return None
        return self._accepted * self._strong_usd / self._strong_answers - self._weak_usd
