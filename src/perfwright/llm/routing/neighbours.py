"""Gain of a prompt from prompts with the same words: a smoother over an inverted index."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

COMMON = 0.09
"""Share of the prompts above which a term says nothing.

It bounds the work: on 4,353 exam prompts a choice visits 4,000 postings instead of 75,000, and the
router is as good as with all of them.
"""

_RESERVE = 0.02
"""Weight that counts for the mean, so that a prompt without neighbours gets just that."""


@dataclass(frozen=True, slots=True)
class Posting:
    """The prompts with one term, and the term's share of each, of unit length.

    A common term lists none: it only counts in a prompt's length.
    """

    rarity: float
    places: array[int]
    weights: array[float]


class Neighbours:
    """Predicts the mean of known values, weighted by the cubed cosine of TF-IDF vectors.

    Source: E. A. Nadaraya, Theory of Probability and its Applications 9 (1964); G. S. Watson,
        Sankhya A 26 (1964).
    """

    def __init__(self, postings: Mapping[str, Posting], values: Sequence[float]) -> None:
        self.postings = postings
        self.values = values
        """Of each known prompt, less their mean."""

    @classmethod
    def train(cls, counts: Sequence[Mapping[str, int]], values: Sequence[float]) -> Neighbours:
        """Index prompts by their terms.

        Args:
            counts: Terms of each prompt.
            values: What is to be predicted, of each prompt, less the mean.
        """
        spread = Counter(term for count in counts for term in count)
        most = max(2.0, COMMON * len(counts))
        postings = {
            term: Posting(1.0 + math.log((1 + len(counts)) / (1 + prompts)), array("I"), array("f"))
            for term, prompts in spread.items()
            if prompts > 1
        }
        index = cls(postings, values)
        for place, count in enumerate(counts):
            for term, weight in index._weighted(count):
                if spread[term] <= most:
                    postings[term].places.append(place)
                    postings[term].weights.append(weight)
        return index

    def predict(self, count: Mapping[str, int]) -> float:
        """Return the expected difference from the mean."""
        near: dict[int, float] = {}
        for term, weight in self._weighted(count):
            posting = self.postings[term]
            for place, other in zip(posting.places, posting.weights, strict=True):
                near[place] = near.get(place, 0.0) + weight * other
        total, weighted, values = _RESERVE, 0.0, self.values
        for place, likeness in near.items():
            weight = likeness * likeness * likeness
            total += weight
            weighted += weight * values[place]
        return weighted / total

    def _weighted(self, count: Mapping[str, int]) -> list[tuple[str, float]]:
        """Return the known terms of a prompt, with weights whose squares sum to 1."""
        found = [
            (term, (1.0 + math.log(times)) * posting.rarity)
            for term, times in count.items()
            if (posting := self.postings.get(term)) is not None
        ]
        length = math.sqrt(sum(weight * weight for _, weight in found))
        return [(term, weight / length) for term, weight in found]
