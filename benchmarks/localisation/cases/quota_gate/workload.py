"""Replays a log, to see whom new limits would refuse."""

from __future__ import annotations

from access_log import read, written
from gate import Gate, Tenant
from policy import plans


def run() -> object:
    policies, gate = plans(), Gate()
    policies["team"].override("search", calls=9)
    tenants = {
        f"t-{number}": Tenant(f"t-{number}", policies[("free", "team", "business")[number % 3]])
        for number in range(40)
    }
    left = []
    for call in read(written(70_000, len(tenants))):
        tenant = tenants[call.tenant]
        if gate.admit(tenant, call.resource, call.at) and call.resource == "export":
            left.append(gate.remaining(tenant, call.resource))
    return sum(left), sorted(gate.refused.items())
