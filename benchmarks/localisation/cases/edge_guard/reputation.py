"""Networks with a bad name, as others publish them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network


@lru_cache(maxsize=4096)
def address_of(text: str) -> IPv4Address:
    return IPv4Address(text)


class Feed:
    def __init__(self, name: str, lines: Iterable[str]) -> None:
        self.name = name
        stripped = (line.partition("#")[0].strip() for line in lines)
        self.networks = [IPv4Network(line) for line in stripped if line]

    def covers(self, address: IPv4Address) -> bool:
        return any(address in network for network in self.networks)
