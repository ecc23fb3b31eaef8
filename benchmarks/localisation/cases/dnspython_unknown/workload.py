"""Reads the answers of a name server that knows types of records which are still private."""

from __future__ import annotations

import struct

import dns.rdata
import dns.rdataclass
import dns.rdatatype

IN = dns.rdataclass.IN


def records(count: int) -> list[tuple[int, bytes]]:
    found = []
    for number in range(count):
        address = struct.pack("!BBH", 10, 1, number % 65_000)
        found.append((dns.rdatatype.A, address))
        found.append((dns.rdatatype.MX, b"\0\x0a\x04mail\x07example\x03org\0"))
        found.append((65_400 + number % 3, address + b"private"))
        if number % 3 == 0:
            found.append((dns.rdatatype.TXT, b"\x0bv=spf1 -all"))
            found.append((65_410, address * 3))
    return found


def size(kind: int, wire: bytes) -> int:
    return len(dns.rdata.from_wire(IN, kind, wire, 0, len(wire)).to_text())


def run() -> object:
    sizes: dict[int, int] = {}
    for kind, wire in records(20_000):
        sizes[int(kind)] = sizes.get(int(kind), 0) + size(kind, wire)
    return sorted(sizes.items())
