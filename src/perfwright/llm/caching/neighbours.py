"""The kept question that is nearest to a new one."""

from __future__ import annotations

import heapq
import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from operator import mul

_BITS = 256
_CLOSEST = 16
"""So many are compared exactly, of those whose signatures differ least."""
_COMPARED_EXACTLY = 32
"""In a scope of this size or smaller all are."""


class Neighbour:
    """A kept question."""

    __slots__ = ("expires_at_s", "record", "signature", "text", "vector")

    def __init__(
        self, text: str, vector: Sequence[float], *, record: bytes, expires_at_s: float
    ) -> None:
        self.text, self.vector, self.record = text, vector, record
        self.expires_at_s = expires_at_s
        self.signature = 0


class Neighbours:
    """Questions by scope; the oldest make room.

    A search compares signatures of bits, which is quick, and then few vectors. A bit says which of
    two coordinates is the larger one, for pairs drawn once: near vectors agree in most.
    O(questions of the scope), about 0.3 us each.

    Args:
        max_entries: Over all scopes.
    """

    def __init__(self, *, max_entries: int) -> None:
        self._max_entries = max_entries
        self._scopes: dict[str, OrderedDict[str, Neighbour]] = {}
        self._ages: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._pairs: dict[int, list[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self._ages)

    def add(self, scope: str, neighbour: Neighbour) -> None:
        """Keep a question; an equal one is replaced."""
        neighbour.signature = self._signature(neighbour.vector)
        self._scopes.setdefault(scope, OrderedDict())[neighbour.text] = neighbour
        self._ages[scope, neighbour.text] = None
        self._ages.move_to_end((scope, neighbour.text))
        while len(self._ages) > self._max_entries:
            (old_scope, text), _ = self._ages.popitem(last=False)
            del self._scopes[old_scope][text]
            if not self._scopes[old_scope]:
                del self._scopes[old_scope]

    def nearest(
        self,
        scope: str,
        vector: Sequence[float],
        *,
        now_s: float,
        admits: Callable[[str], bool],
    ) -> tuple[float, Neighbour] | None:
        """Return the nearest question that `admits` lets pass, and its cosine."""
        kept = self._scopes.get(scope)
        if not kept:
            return None
        alive = [
            each
            for each in kept.values()
            if each.expires_at_s > now_s and len(each.vector) == len(vector)
        ]
        if len(alive) > _COMPARED_EXACTLY:
            signature = self._signature(vector)
            alive = heapq.nsmallest(
                _CLOSEST, alive, key=lambda each: (each.signature ^ signature).bit_count()
            )
        ranked = sorted(
            ((sum(map(mul, vector, each.vector)), each) for each in alive),
            key=lambda pair: -pair[0],
        )
        return next((pair for pair in ranked if admits(pair[1].text)), None)

    def _signature(self, vector: Sequence[float]) -> int:
        pairs = self._pairs.get(len(vector))
        if pairs is None:
            rng = random.Random(len(vector))  # the same pairs for all vectors of this length
            indexes = range(len(vector))
            pairs = [(rng.choice(indexes), rng.choice(indexes)) for _ in range(_BITS)]
            self._pairs[len(vector)] = pairs
        bits = 0
        for one, other in pairs:
            bits = bits << 1 | (vector[one] > vector[other])
        return bits
