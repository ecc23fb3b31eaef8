"""Texts in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

EVEN_SIZE = 32  # characters: a handful of tokens, as providers under load send them


class Cutter:
    """Cuts texts at given sizes; what they do not cover is cut evenly.

    Args:
        sizes: Characters of each piece, over all texts that are cut with them.
    """

    def __init__(self, sizes: Iterable[int]) -> None:
        self._sizes = [size for size in sizes if size > 0]
        self._sizes.reverse()

    def cut(self, text: str) -> Iterator[str]:
        """Yield the text's parts; together they are `text`."""
        start = 0
        while start < len(text):
            size = self._sizes.pop() if self._sizes else EVEN_SIZE
            yield text[start : start + size]
            start += size


def even_parts(text: str) -> Iterator[str]:
    """Yield parts of the same size; together they are `text`."""
    for start in range(0, len(text), EVEN_SIZE):
        yield text[start : start + EVEN_SIZE]
