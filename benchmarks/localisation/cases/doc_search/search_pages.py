"""A page of results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from permissions import Permissions
from texts import Document, Index


class Search:
    def __init__(self, index: Index, permissions: Permissions) -> None:
        self.index, self.permissions = index, permissions

    def visible(self, who: str, hits: Iterable[Document]) -> Iterator[Document]:
        for document in hits:
            if self.permissions.allows(who, document):
                yield document

    def snippet(self, document: Document, query: str) -> str:
        pattern = "|".join(map(re.escape, query.split()))
        marked = re.sub(pattern, lambda found: f"*{found[0]}*", document.text)
        at = max(0, marked.find("*") - 20)
        return marked[at : at + 80]

    def page(self, who: str, query: str) -> list[str]:
        shown = islice(self.visible(who, self.index.ranked(query)[:40]), 25)
        return [f"{each.number}: {self.snippet(each, query)}" for each in shown]
