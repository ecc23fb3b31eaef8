"""Decides on claims, and remembers what it decided."""

from __future__ import annotations

from collections import defaultdict, deque

from letters import letter
from model import Claim
from rules import payable, suspicious


class Desk:
    def __init__(self) -> None:
        self.recent: defaultdict[str, deque[int]] = defaultdict(lambda: deque(maxlen=12))
        self.paid_cents = 0
        self.referred: list[int] = []

    def decide(self, claim: Claim) -> str:
        recent = self.recent[claim.policy]
        if suspicious(claim, tuple(recent)):
            self.referred.append(claim.number)
            claim.notes.append("seen by a person")
        cents = payable(claim)
        recent.append(cents)
        self.paid_cents += cents
        return letter(claim, cents)
