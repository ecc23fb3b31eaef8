"""A fingerprint of the machines of a list."""

from __future__ import annotations

import hashlib
import json


def normal(machine: str) -> dict[str, str]:
    name, _, domain = machine.partition(".")
    return {"name": name.lower(), "domain": domain.lower() or "local", "site": name[:3].upper()}


def main(*machines: str) -> str:
    seal = hashlib.sha256()
    for machine in sorted(machines):
        seal.update(json.dumps(normal(machine), sort_keys=True).encode())
    return seal.hexdigest()
