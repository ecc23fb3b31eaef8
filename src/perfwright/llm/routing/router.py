"""A router between two models, learned from own outcomes, that may refuse to route."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from perfwright.core import ConfigError, TooFewSamplesError
from perfwright.llm.requests import Request
from perfwright.llm.routing.choice import Choice
from perfwright.llm.routing.gain import GainModel, PairedOutcome
from perfwright.llm.routing.intervals import LEVEL
from perfwright.llm.routing.storage import read, write
from perfwright.llm.routing.text import prompt_of
from perfwright.llm.routing.verdict import Decision, Evidence, Goal, Scored, Verdict, judge

LEAST_OUTCOMES = 200
"""Fewer prove nothing, whatever the prompts tell."""

_FOLDS = 5


class Router:
    """Sends a prompt to the strong model if it is worth it there; implements no I/O but its file.

    Args:
        weak: The cheaper model.
        strong: The dearer one.
        model: Predicts the gain.
        verdict: What is done with the prediction.
    """

    def __init__(self, *, weak: str, strong: str, model: GainModel, verdict: Verdict) -> None:
        self.weak, self.strong = weak, strong
        self.model, self.verdict = model, verdict

    @classmethod
    def train(
        cls,
        outcomes: Sequence[PairedOutcome],
        *,
        weak: str,
        strong: str,
        goal: Goal | None = None,
        level: float = LEVEL,
        rng: random.Random | None = None,
    ) -> Router:
        """Learn from prompts that both models have answered, and prove it on held-out ones.

        Takes about 4 ms of one processor per outcome, so use `asyncio.to_thread` in a server.

        Args:
            outcomes: At least 200; of the traffic that is to be routed.
            weak: The cheaper model's name.
            strong: The dearer one's.
            goal: By default at most 2 points of success lost.
            level: Chance to route although prompts tell nothing. Who trains again and again on
                new outcomes gives the level that `perfwright.stats.FalseKeepControl` deals out.
            rng: Deals outcomes to the folds, and draws landmarks.

        Raises:
            TooFewSamplesError: With fewer outcomes.
            ConfigError: If both names are the same, or `level` is no chance between 0 and 1.
        """
        if weak == strong:
            raise ConfigError(field="strong", value=strong, problem="is the weak model, too")
        if not 0.0 < level < 1.0:
            raise ConfigError(field="level", value=level, problem="must be between 0 and 1")
        if len(outcomes) < LEAST_OUTCOMES:
            raise TooFewSamplesError(have=len(outcomes), need=LEAST_OUTCOMES)
        rng = rng or random.Random(0)
        verdict = judge(held_out(outcomes, rng=rng), goal=goal or Goal(max_loss=0.02), level=level)
        model = GainModel.train(outcomes, rng=rng)
        return cls(weak=weak, strong=strong, model=model, verdict=verdict)

    def gain(self, prompt: str) -> float:
        """Return the success that the strong model is expected to add, -1 to 1."""
        return self.model.predict(prompt)

    def decide(self, prompt: str) -> Choice:
        """Return the model for a prompt, in under a millisecond."""
        if not self.verdict.routes:
            strong = self.verdict.decision is Decision.ALWAYS_STRONG
            return Choice(self.strong if strong else self.weak, reason=self.verdict.reason)
        gain, threshold = self.gain(prompt), self.verdict.threshold
        model = self.strong if gain >= threshold else self.weak
        side = "at least" if gain >= threshold else "under"
        return Choice(
            model, reason=f"predicted gain {gain:.2f} is {side} the threshold {threshold:.2f}"
        )

    def choose(self, request: Request) -> Choice:
        """Decide by what the user asks in `request`."""
        return self.decide(prompt_of(request))

    def replay(self, outcomes: Sequence[PairedOutcome]) -> Evidence:
        """Return what this router would have given on prompts that it was not trained on.

        Args:
            outcomes: At least one, such as the newest of a `ShadowEvaluation`.

        Raises:
            TooFewSamplesError: Without any.
        """
        if not outcomes:
            raise TooFewSamplesError(have=0, need=1)
        return Evidence.of(
            [self.decide(outcome.prompt) == self.weak for outcome in outcomes],
            gains=[outcome.gain for outcome in outcomes],
        )

    def save(self, path: Path | str) -> None:
        """Write everything to one file, replacing it whole. It holds words of the prompts.

        Raises:
            OSError: If it cannot be written.
        """
        write(
            Path(path), weak=self.weak, strong=self.strong, model=self.model, verdict=self.verdict
        )

    @classmethod
    def load(cls, path: Path | str) -> Router:
        """Read what `save` has written.

        Raises:
            ConfigError: If the file is damaged, or of another version.
            OSError: If it cannot be read.
        """
        stored = read(Path(path))
        return cls(
            weak=stored.weak, strong=stored.strong, model=stored.model(), verdict=stored.verdict
        )


def held_out(outcomes: Sequence[PairedOutcome], *, rng: random.Random) -> list[list[Scored]]:
    """Predict every prompt's gain by a model that has not seen it, in folds of equal size."""
    order = list(outcomes)
    rng.shuffle(order)
    folds = []
    for fold in range(_FOLDS):
        rest = [outcome for place, outcome in enumerate(order) if place % _FOLDS != fold]
        model = GainModel.train(rest, rng=rng)
        folds.append(
            [Scored(model.predict(outcome.prompt), outcome.gain) for outcome in order[fold::_FOLDS]]
        )
    return folds
