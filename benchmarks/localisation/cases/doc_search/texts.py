"""Documents and the words in them."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

STOCK = [f"{start}{end}" for start in "bdfgklmnprst" for end in ("ada", "elo", "iru", "ovi", "ume")]


@dataclass(frozen=True, slots=True)
class Document:
    number: int
    folder: int
    text: str


def archive(count: int) -> list[Document]:
    rng = random.Random(77)
    weights = [1 / (place + 2) for place in range(len(STOCK))]
    return [
        Document(number, rng.randrange(500), " ".join(rng.choices(STOCK, weights, k=90)))
        for number in range(count)
    ]


class Index:
    def __init__(self, documents: list[Document]) -> None:
        self.documents = documents
        self.where: dict[str, dict[int, int]] = defaultdict(dict)
        for document in documents:
            for word, times in Counter(re.findall(r"\w+", document.text.lower())).items():
                self.where[word][document.number] = times

    def ranked(self, query: str) -> list[Document]:
        scores: Counter[int] = Counter()
        for word in query.lower().split():
            postings = self.where.get(word, {})
            for number, times in postings.items():
                scores[number] += times * 1000 // (1 + len(postings))
        order = sorted(scores, key=lambda number: (-scores[number], number))
        return [self.documents[number] for number in order]
