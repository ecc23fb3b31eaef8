"""What must be built before what."""

from __future__ import annotations

from collections import defaultdict


class BuildGraph:
    def __init__(self) -> None:
        self.needs: dict[str, tuple[str, ...]] = {}
        self.users: dict[str, list[str]] = defaultdict(list)

    def add(self, target: str, needs: tuple[str, ...]) -> None:
        self.needs[target] = needs
        for other in needs:
            self.users[other].append(target)

    def depth(self, target: str) -> int:
        needs = self.needs.get(target, ())
        return 1 + max((self.depth(other) for other in needs), default=0)

    def levels(self) -> dict[int, list[str]]:
        levels: dict[int, list[str]] = defaultdict(list)
        for target in sorted(self.needs):
            levels[self.depth(target)].append(target)
        return dict(levels)

    def affected(self, target: str) -> set[str]:
        found, waiting = set(), [target]
        while waiting:
            for user in self.users[waiting.pop()]:
                if user not in found:
                    found.add(user)
                    waiting.append(user)
        return found
