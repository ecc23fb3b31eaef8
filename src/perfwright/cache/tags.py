"""Logical tags: invalidating one touches nothing but the tag, however many values carry it.

A tag has a version, an unguessable value that is never used twice. A value is stored with the
versions that its tags had *before* its factory started, and counts only while all of them are
current; so a value computed from what was there before an invalidation never survives it. The
version lives in the shared tier, and its cell here is a copy that a message makes dead.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Iterable

_MOST_CELLS = 10_000


class TagCell:
    """One version of one tag as this process knows it; shared by all values that carry it."""

    __slots__ = ("alive", "kept_until_s", "version")

    def __init__(self, version: bytes, kept_until_s: float) -> None:
        self.version = version
        self.kept_until_s = kept_until_s
        """Until when the shared tier keeps the version at least; no value may live longer."""
        self.alive = True


class Tags:
    """The cells of this process, the least recently used ones forgotten first."""

    def __init__(self) -> None:
        self._cells: OrderedDict[str, TagCell] = OrderedDict()

    def cell(self, tag: str) -> TagCell | None:
        """Return what is known of a tag."""
        cell = self._cells.get(tag)
        if cell is not None:
            self._cells.move_to_end(tag)
        return cell

    def learn(self, tag: str, version: bytes, *, kept_until_s: float) -> TagCell:
        """Return the cell of a version that the shared tier reported; another version dies."""
        cell = self._cells.get(tag)
        if cell is None or cell.version != version:
            self.kill(tag)
            cell = self._cells[tag] = TagCell(version, kept_until_s)
            if len(self._cells) > _MOST_CELLS:
                # A forgotten cell could not be reached by a message, so its values go with it.
                self._cells.popitem(last=False)[1].alive = False
        cell.kept_until_s = max(cell.kept_until_s, kept_until_s)
        return cell

    def kill(self, tag: str) -> None:
        """Make all values with this tag invalid."""
        cell = self._cells.pop(tag, None)
        if cell is not None:
            cell.alive = False

    def kill_all(self) -> None:
        """Make all tagged values invalid."""
        for cell in self._cells.values():
            cell.alive = False
        self._cells.clear()


def alive(cells: Iterable[TagCell]) -> bool:
    """Whether a value with these cells is valid."""
    return all(cell.alive for cell in cells)


def new_version() -> bytes:
    """Return a version that no tag ever had."""
    return uuid.uuid4().bytes
