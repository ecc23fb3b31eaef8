"""Brings feeds into the archive, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from failures import Failures
from feeds import unpacked


class RejectedError(Exception):
    """An article that cannot be."""


Step = Callable[[dict[str, Any]], dict[str, Any]]


def checked(feed: dict[str, Any]) -> dict[str, Any]:
    for article in feed["articles"]:
        if article["words"] < 0:
            raise RejectedError(f"article {article['id']} has {article['words']} words")
    return feed


def ranked(feed: dict[str, Any]) -> dict[str, Any]:
    articles = sorted(feed["articles"], key=lambda article: (-article["words"], article["id"]))
    return {**feed, "articles": articles[:3]}


class Importer:
    def __init__(self, failures: Failures, steps: tuple[Step, ...] = (checked, ranked)) -> None:
        self.failures = failures
        self.steps = steps
        self.best: dict[int, int] = {}

    def _through(self, raw: bytes) -> dict[str, Any]:
        feed = unpacked(raw)
        for step in self.steps:
            feed = step(feed)
        return feed

    def take(self, name: str, number: int, raw: bytes) -> bool:
        try:
            feed = self._through(raw)
        except (ValueError, RejectedError) as error:
            self.failures.note(name, number, error)
            return False
        self.best[number] = feed["articles"][0]["id"]
        return True
