"""An album that shows photos only once."""

from __future__ import annotations

from collections import defaultdict

from fingerprint import Fingerprint

ALIKE = 9


class Album:
    def __init__(self) -> None:
        self.photos: list[tuple[str, Fingerprint]] = []
        self.buckets: dict[tuple[int, int], list[int]] = defaultdict(list)
        self.twins: list[tuple[str, str]] = []

    def candidates(self, print_: Fingerprint) -> set[int]:
        return {number for key in enumerate(print_.bands()) for number in self.buckets.get(key, ())}

    def add(self, name: str, print_: Fingerprint) -> None:
        near = [
            (print_.distance(self.photos[number][1]), number) for number in self.candidates(print_)
        ]
        best = min(near, default=(64, -1))
        if best[0] <= ALIKE:
            self.twins.append((name, self.photos[best[1]][0]))
            return
        for key in enumerate(print_.bands()):
            self.buckets[key].append(len(self.photos))
        self.photos.append((name, print_))
