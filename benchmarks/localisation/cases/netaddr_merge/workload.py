"""Block lists of several sources become one."""

from __future__ import annotations

from netaddr import IPNetwork, cidr_merge


def source(number: int, size: int) -> list[IPNetwork]:
    first = 0x0A000000 + number * 16
    return [IPNetwork((first + entry * 64, 28)) for entry in range(size)]


def report(blocks: list[IPNetwork]) -> list[tuple[str, int]]:
    return [(str(block), block.size) for block in blocks]


def run() -> object:
    few = [source(number, 300) for number in range(3)]
    many = [source(number, 45_000) for number in range(4)]
    return report(cidr_merge(sum(few, []))), report(cidr_merge(sum(many, [])))
