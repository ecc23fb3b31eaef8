"""The provider's own limits. Written apart from `perfwright.limits`, which is judged by them."""

from __future__ import annotations


class Bucket:
    """A token bucket that admits or refuses, and never lends."""

    def __init__(self, *, per_s: float, size: float, now_s: float) -> None:
        self.per_s, self.size = per_s, size
        self._level, self._at_s = size, now_s

    def level(self, now_s: float) -> float:
        """What is left."""
        self._level = min(self.size, self._level + (now_s - self._at_s) * self.per_s)
        self._at_s = now_s
        return self._level

    def take(self, amount: float, *, now_s: float) -> None:
        """Take what was found to be there."""
        self._level = self.level(now_s) - amount

    def wait_s(self, amount: float, *, now_s: float) -> float:
        """Return how long until `amount` is there; more than it ever holds counts as full."""
        missing = min(amount, self.size) - self.level(now_s)
        return max(0.0, missing / self.per_s)

    def reset_s(self, now_s: float) -> float:
        """Return how long until it is full."""
        return (self.size - self.level(now_s)) / self.per_s
