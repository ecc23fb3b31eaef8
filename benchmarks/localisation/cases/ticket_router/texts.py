"""What a ticket is about."""

from __future__ import annotations

import logging
import re
from collections import Counter

log = logging.getLogger("tickets.texts")

WORD = re.compile(r"[a-zäöüß]+", re.IGNORECASE)
TOPICS = {
    "payment": frozenset({"invoice", "card", "refund", "charged", "paid"}),
    "delivery": frozenset({"parcel", "late", "courier", "address", "lost"}),
    "account": frozenset({"password", "login", "locked", "profile", "code"}),
}


def topic(text: str) -> str:
    words = Counter(word.lower() for word in WORD.findall(text))
    points = {name: sum(words[word] for word in vocabulary) for name, vocabulary in TOPICS.items()}
    best = max(points, key=lambda name: (points[name], name))
    if not points[best]:
        log.warning("no topic in %d words", words.total())
        return "other"
    return best
