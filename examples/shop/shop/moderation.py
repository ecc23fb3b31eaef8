"""Which reviews a person must look at before they are shown."""

import re

from shop.vocabulary import BLOCKED_ENDINGS, BLOCKED_STEMS

BLOCKED_WORDS = [stem + ending for stem in BLOCKED_STEMS for ending in ("", *BLOCKED_ENDINGS)]


def blocked_words(text: str) -> list[str]:
    """Return the blocked words that occur in the text, whatever their case."""
    return [
        word for word in BLOCKED_WORDS if re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)
    ]
