"""Token counts before the call, corrected by those that the provider reports after it."""

from __future__ import annotations

from perfwright.llm.cost.exact import exact_counter
from perfwright.llm.cost.learned import FEW, Window
from perfwright.llm.cost.sizes import Count, prompt_size, text_tokens
from perfwright.llm.replies import Usage
from perfwright.llm.requests import Api, Request

_PRIOR_SAID, _PRIOR_FORM = 5e-3, 1e-5  # weight of "as estimated" beside one answer
_FADE = 0.99  # weight of the answers so far when one comes
_ODD = 8.0  # an answer so many times off is taken for an accident
_ALL, _EVERY = 32, 8  # the first answers of a model are all learned from, then every eighth
_MAX_MODELS = 256
_LONG = 1_024.0  # tokens: an answer may have as many, whatever the first one had
_COMPLETION = 256
"""Tokens of an answer of which nothing is known."""


class _Prompts:
    """Least squares of relative error: tokens = a * (what is said) + b * (the form around it)."""

    __slots__ = ("answers", "form", "m", "mm", "ratios", "said", "x", "xm", "xx")

    def __init__(self) -> None:
        self.said = self.form = 1.0
        self.xx = self.mm = self.xm = self.x = self.m = 0.0
        self.answers = 0
        self.ratios = Window()

    def tokens(self, said: float, form: float) -> float:
        return max(0.0, self.said * said + self.form * form)

    def learn(self, said: float, form: float, *, tokens: int) -> None:
        expected = self.tokens(said, form)
        if len(self.ratios) >= FEW and expected > 0.0:
            actual = min(max(tokens, expected / _ODD), expected * _ODD)
        else:
            actual = float(tokens)
        x, m = said / actual, form / actual
        self.xx = _FADE * self.xx + x * x
        self.mm = _FADE * self.mm + m * m
        self.xm = _FADE * self.xm + x * m
        self.x = _FADE * self.x + x
        self.m = _FADE * self.m + m
        self._solve()
        fitted = self.tokens(said, form)
        if fitted > 0.0:
            self.ratios.add(actual / fitted)

    def _solve(self) -> None:
        xx, mm = self.xx + _PRIOR_SAID, self.mm + _PRIOR_FORM
        x, m = self.x + _PRIOR_SAID, self.m + _PRIOR_FORM
        determinant = xx * mm - self.xm * self.xm
        self.said = (x * mm - m * self.xm) / determinant
        self.form = (m * xx - x * self.xm) / determinant


class TokenEstimator:
    """Learns, for each model, how long prompts and answers are. Not thread-safe.

    Args:
        exact: Counts texts with tiktoken, for models whose tables are on this machine: it never
            fetches one. Costs 80 us for 1,000 characters.
    """

    def __init__(self, *, exact: bool = False) -> None:
        self._exact = exact
        self._counters: dict[str, Count | None] = {}
        self._prompts: dict[str, _Prompts] = {}
        self._completions: dict[tuple[str, int], Window] = {}

    def prompt(self, request: Request) -> int:
        """Estimate the prompt's tokens."""
        said, form = self._size(request)
        learned = self._prompts.get(request.model)
        if learned is None:
            return round(said + form)
        tokens = learned.tokens(said, form)
        return round(tokens * learned.ratios.middle if learned.ratios else tokens)

    def prompt_spread(self, model: str) -> tuple[float, float]:
        """Return by what factor a prompt is seldom longer than estimated, and hardly ever."""
        learned = self._prompts.get(model)
        if learned is None or not learned.ratios:
            return 1.0, 2.0
        ratios = learned.ratios
        few = 1.5 if len(ratios) < FEW else 1.0
        return ratios.largest / ratios.middle, few * ratios.likely / ratios.middle

    def completion(self, request: Request) -> int:
        """Return what to set aside for the answer where nothing else limits it.

        That is what such answers hardly exceed, or else the caller's bound, or 256 tokens.
        """
        if request.api is Api.EMBEDDINGS:
            return 0
        likely = self.completion_likely(request)
        most = request.max_completion_tokens
        choices = choices_of(request)
        if most is None:
            return choices * (_COMPLETION if likely is None else likely)
        return choices * (most if likely is None else min(most, likely))

    def completion_most(self, request: Request) -> int | None:
        """Return what none of many answers side by side exceeds; None if there was none yet."""
        learned = self._completions.get(_kind(request))
        if learned is None:
            return None
        few = _LONG / len(learned) if len(learned) < FEW else 0.0
        return round(max(learned.high, few))

    def completion_high(self, request: Request) -> int | None:
        """Return what one answer hardly exceeds, more while few have come; None if none has."""
        learned = self._completions.get(_kind(request))
        return None if learned is None else round(learned.high)

    def completion_likely(self, request: Request) -> int | None:
        """Return what one answer hardly exceeds, None if there was no such call yet."""
        learned = self._completions.get(_kind(request))
        return None if learned is None else round(learned.likely)

    def completion_expected(self, request: Request) -> int | None:
        """Return the median length of such answers, None if there was none."""
        learned = self._completions.get(_kind(request))
        return None if learned is None else round(learned.middle)

    def text(self, text: str) -> int:
        """Estimate the tokens of a part of an answer."""
        return round(text_tokens(text) + 0.5)

    def learn(self, request: Request, usage: Usage) -> None:
        """Take in what the provider counted."""
        if usage.completion_tokens > 0:
            kind = _kind(request)
            window = self._completions.get(kind)
            if window is None:
                window = self._new_window(kind)
            window.add(usage.completion_tokens / choices_of(request))
        prompts = self._prompts.get(request.model)
        if prompts is None:
            prompts = self._new_prompts(request.model)
        prompts.answers += 1
        if usage.prompt_tokens > 0 and (prompts.answers <= _ALL or not prompts.answers % _EVERY):
            prompts.learn(*self._size(request), tokens=usage.prompt_tokens)

    def _size(self, request: Request) -> tuple[float, float]:
        if not self._exact:
            return prompt_size(request)
        model = request.model
        if model not in self._counters:
            if len(self._counters) >= _MAX_MODELS:
                self._counters.clear()
            self._counters[model] = exact_counter(model)
        return prompt_size(request, count=self._counters[model])

    def _new_prompts(self, model: str) -> _Prompts:
        if len(self._prompts) >= _MAX_MODELS:
            del self._prompts[next(iter(self._prompts))]
        return self._prompts.setdefault(model, _Prompts())

    def _new_window(self, kind: tuple[str, int]) -> Window:
        if len(self._completions) >= 4 * _MAX_MODELS:
            del self._completions[next(iter(self._completions))]
        return self._completions.setdefault(kind, Window())


def choices_of(request: Request) -> int:
    """Return how many answers are asked for at once."""
    choices = request.body.get("n")
    return choices if isinstance(choices, int) and choices > 1 else 1


def _kind(request: Request) -> tuple[str, int]:
    """Tell apart calls by model, and by the size of the bound that the caller set."""
    most = request.max_completion_tokens
    return request.model, -1 if most is None else most.bit_length()
