"""Counts what tenants do in windows of time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from policy import Policy


@dataclass
class Tenant:
    name: str
    policy: Policy
    used: dict[str, deque[float]] = field(default_factory=dict)


class Gate:
    def __init__(self) -> None:
        self.refused: dict[str, int] = {}

    def _window(self, tenant: Tenant, resource: str, since: float) -> deque[float]:
        seen = tenant.used.setdefault(resource, deque())
        while seen and seen[0] <= since:
            seen.popleft()
        return seen

    def admit(self, tenant: Tenant, resource: str, now: float) -> bool:
        limit = tenant.policy.limits[resource]
        seen = self._window(tenant, resource, now - limit.seconds)
        if len(seen) >= limit.calls + limit.burst:
            self.refused[tenant.name] = self.refused.get(tenant.name, 0) + 1
            return False
        seen.append(now)
        return True

    def remaining(self, tenant: Tenant, resource: str) -> int:
        limit = tenant.policy.limits[resource]
        return limit.calls + limit.burst - len(tenant.used.get(resource, ()))
