"""Keeps what was dear to work out."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Kept(Generic[V]):
    def __init__(self, work_out: Callable[..., V]) -> None:
        self._work_out = work_out
        self._values: dict[Hashable, V] = {}
        self.asked = 0

    def get(self, key: Hashable, *args: object) -> V:
        self.asked += 1
        try:
            return self._values[key]
        except KeyError:
            value = self._values[key] = self._work_out(*args)
            return value
