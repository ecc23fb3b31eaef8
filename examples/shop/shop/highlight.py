"""Marking the words of a search in its results."""

import re
from collections.abc import Sequence

from markupsafe import Markup, escape


def highlight(text: str, *, terms: Sequence[str]) -> Markup:
    """Return the text as HTML in which the terms are marked."""
    marked = str(escape(text))
    for term in terms:
        pattern = re.compile(re.escape(str(escape(term))), re.IGNORECASE)
        marked = pattern.sub(lambda match: f"<mark>{match.group()}</mark>", marked)
    return Markup(marked)
