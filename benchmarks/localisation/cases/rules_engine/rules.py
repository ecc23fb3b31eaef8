"""Rules that sort support mail."""

from __future__ import annotations

import re
from dataclasses import dataclass

WORDS = ("refund", "broken", "late", "missing", "invoice", "cancel", "wrong", "angry")


@dataclass(frozen=True)
class Rule:
    word: str
    number: int
    team: str

    def matches(self, line: str) -> bool:
        return re.search(rf"\b{self.word}\b\s+(?:order|case)\s+{self.number}\b", line) is not None


class RuleBook:
    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules

    def first_match(self, line: str) -> str:
        for rule in self.rules:
            if rule.matches(line):
                return rule.team
        return "inbox"


def build(count: int) -> RuleBook:
    return RuleBook(
        [Rule(WORDS[number % len(WORDS)], number, f"team {number % 7}") for number in range(count)]
    )
