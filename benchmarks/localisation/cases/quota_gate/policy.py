"""What each plan allows."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass
class Limit:
    calls: int
    seconds: int
    burst: int = 0


class Policy:
    """Limits by resource; changed only by `override`."""

    def __init__(self, plan: str, limits: Mapping[str, Limit]) -> None:
        self.plan = plan
        self._limits = dict(limits)

    @property
    def limits(self) -> Mapping[str, Limit]:
        return copy.deepcopy(self._limits)

    def override(self, resource: str, **changes: int) -> None:
        limit = self._limits[resource]
        self._limits[resource] = Limit(**{**vars(limit), **changes})


def plans() -> dict[str, Policy]:
    resources = ("search", "upload", "export")
    return {
        plan: Policy(
            plan,
            {
                name: Limit(factor * (number + 2), 10 + 5 * number, factor // 2)
                for number, name in enumerate(resources)
            },
        )
        for plan, factor in (("free", 4), ("team", 12), ("business", 40))
    }
