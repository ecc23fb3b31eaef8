"""What went wrong, for the page that operators look at."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    number: int
    error: Exception

    @property
    def text(self) -> str:
        return f"{self.number}: {type(self.error).__name__}: {self.error}"


class Failures:
    def __init__(self) -> None:
        self.by_feed: defaultdict[str, list[Failure]] = defaultdict(list)

    def note(self, feed: str, number: int, error: Exception) -> None:
        self.by_feed[feed].append(Failure(number, error))

    def page(self, feed: str) -> list[str]:
        return [failure.text for failure in self.by_feed[feed][-20:]]

    def totals(self) -> Counter[str]:
        return Counter(
            type(failure.error).__name__
            for failures in self.by_feed.values()
            for failure in failures
        )
