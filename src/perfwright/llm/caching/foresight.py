"""What comes next in sequences that were seen: prediction by partial matching."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence

_LONGEST = 3


class Foresight:
    """Learns which key follows which, from the last one, two and three.

    Args:
        max_contexts: Beginnings that are remembered; those not seen for longest make room.

    Source: J. G. Cleary, I. H. Witten, Data compression using adaptive coding and partial string
        matching, IEEE Transactions on Communications 32 (1984); the chance of something new is
        that of A. Moffat's variant C.
    """

    def __init__(self, *, max_contexts: int = 50_000) -> None:
        self._max_contexts = max_contexts
        self._followers: OrderedDict[tuple[str, ...], Counter[str]] = OrderedDict()

    def learn(self, before: Sequence[str], key: str) -> None:
        """Take in that `key` came after `before`, of which the last few count."""
        for length in range(1, min(_LONGEST, len(before)) + 1):
            context = tuple(before[-length:])
            self._followers.setdefault(context, Counter())[key] += 1
            self._followers.move_to_end(context)
        while len(self._followers) > self._max_contexts:
            self._followers.popitem(last=False)

    def likely(self, before: Sequence[str], *, least: float) -> list[tuple[str, float]]:
        """Return what follows with a chance of `least` or more, the likeliest first."""
        chances: dict[str, float] = {}
        rest = 1.0  # what longer contexts leave to shorter ones
        for length in range(min(_LONGEST, len(before)), 0, -1):
            followers = self._followers.get(tuple(before[-length:]))
            if followers is None:
                continue
            weight = rest / (followers.total() + len(followers))
            for key, count in followers.items():
                chances[key] = chances.get(key, 0.0) + weight * count
            rest = weight * len(followers)
        found = [(key, chance) for key, chance in chances.items() if chance >= least]
        return sorted(found, key=lambda pair: -pair[1])
