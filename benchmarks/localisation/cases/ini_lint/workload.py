"""Checks the configuration of many hosts before it is rolled out."""

from __future__ import annotations

import random

from checks import lint
from source import Source


def configuration(rng: random.Random, hosts: int) -> str:
    lines = []
    for host in range(hosts):
        lines.append(f"[host.{host}]\n# rack {rng.randrange(90)}")
        for number in range(rng.randrange(6, 14)):
            name = rng.choice(("interface", "Gateway", "max_wait", "mirror")) + f"-{number}"
            value = rng.choice(("yes", "off", "true", "10.1.7.9", "eth0 eth1 bond0"))
            lines.append(f"{name} = {value}")
    return "\n".join(lines)


def run() -> object:
    rng = random.Random(11)
    return [
        lint(Source(f"site-{number}.ini", configuration(rng, size)))
        for number, size in enumerate((40, 350, 90, 450, 250, 380, 420, 400, 300, 360, 440))
    ]
