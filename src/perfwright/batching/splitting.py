"""Finding the item that makes a batch fail: halves are tried again, as often as pays."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

_HOPELESS_CALLS = 7
"""A batch, its halves and its quarters: if nothing of it succeeds, it is not an item's fault."""


class Split(Generic[T]):
    """The groups of one batch that are still to be tried, largest first.

    One bad item among n costs 2 log2(n) extra calls. There are never more of them than items (or
    than one bad item needs), and only six while nothing succeeds, as when a service is down.
    """

    def __init__(self, batch: Sequence[T], *, retry: bool) -> None:
        self._groups: deque[Sequence[T]] = deque([batch])
        self._retry = retry
        self._left = max(len(batch), 2 * (len(batch) - 1).bit_length())
        self._calls = 0
        self._succeeded = False

    def __iter__(self) -> Iterator[Sequence[T]]:
        """Yield groups while there are any; failures add more."""
        while self._groups:
            yield self._groups.popleft()

    @property
    def hopeless(self) -> bool:
        """Whether so much failed that the groups that are left need not be tried."""
        return not self._succeeded and self._calls >= _HOPELESS_CALLS

    def succeeded(self) -> None:
        """Note that a group was processed."""
        self._calls += 1
        self._succeeded = True

    def failed(self, group: Sequence[T]) -> bool:
        """Note that a group failed; return whether its items have failed for good."""
        self._calls += 1
        if not self._retry or len(group) < 2 or self._left < 2 or self.hopeless:
            return True
        middle = len(group) // 2
        self._groups += (group[:middle], group[middle:])
        self._left -= 2
        return False
