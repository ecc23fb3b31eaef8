"""Predicts from a prompt what the strong model would gain over the weak one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from perfwright.llm.routing.landmarks import Landmarks
from perfwright.llm.routing.neighbours import Neighbours
from perfwright.llm.routing.offers import check_between
from perfwright.llm.routing.text import shortened, terms, tokens, traits


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedOutcome:
    """How good both models' answers to one prompt were, 0 to 1.

    Raises:
        ConfigError: If a success is out of that range.
    """

    prompt: str
    weak: float
    strong: float

    def __post_init__(self) -> None:
        """Check both."""
        check_between("weak", self.weak, most=1.0)
        check_between("strong", self.strong, most=1.0)

    @property
    def gain(self) -> float:
        """What the strong model was worth here, -1 to 1."""
        return self.strong - self.weak


class GainModel:
    """The mean of two smoothers, one over a prompt's words and one over its form.

    It predicts the gain, not the difficulty: a prompt at which both models fail is hard, but not
    worth the strong one's price.
    """

    def __init__(self, *, mean: float, words: Neighbours, form: Landmarks) -> None:
        self.mean, self.words, self.form = mean, words, form

    @classmethod
    def train(cls, outcomes: Sequence[PairedOutcome], *, rng: random.Random) -> GainModel:
        """Learn from prompts that both models have answered, at least one."""
        mean = fmean(outcome.gain for outcome in outcomes)
        values = [outcome.gain - mean for outcome in outcomes]
        prompts = [shortened(outcome.prompt) for outcome in outcomes]
        words = [tokens(prompt) for prompt in prompts]
        looks = [traits(prompt, found) for prompt, found in zip(prompts, words, strict=True)]
        return cls(
            mean=mean,
            words=Neighbours.train([terms(found) for found in words], values),
            form=Landmarks.train(looks, values, rng=rng),
        )

    def predict(self, prompt: str) -> float:
        """Return the expected gain, -1 to 1 but for the smoothers' errors."""
        read = shortened(prompt)
        words = tokens(read)
        form = self.form.predict(traits(read, words))
        return self.mean + (form + self.words.predict(terms(words))) / 2.0
