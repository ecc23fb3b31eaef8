"""What departments do when orders come in."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from hashlib import blake2b
from typing import Any

from subscriptions import on

revenue: Counter[str] = Counter()
stock: Counter[str] = Counter()
towns: dict[str, list[int]] = defaultdict(list)
largest: list[tuple[int, str]] = []
suspicious: list[str] = []
labels: dict[str, str] = {}
seals: list[str] = []


def cents(order: dict[str, Any]) -> int:
    return sum(line["amount"] * line["cents"] for line in order["lines"])


@on("placed")
def book(order: dict[str, Any]) -> None:
    revenue[order["placed"][:10]] += cents(order)


@on("placed", "returned")
def take_from_stock(order: dict[str, Any]) -> None:
    sign = -1 if order["topic"] == "placed" else 1
    for line in order["lines"]:
        stock[line["sku"]] += sign * line["amount"]


@on("placed")
def remember_largest(order: dict[str, Any]) -> None:
    entry = (cents(order), order["number"])
    if len(largest) < 20:
        heapq.heappush(largest, entry)
    else:
        heapq.heappushpop(largest, entry)


@on("placed", "returned")
def watch_fraud(order: dict[str, Any]) -> None:
    if len({line["sku"] for line in order["lines"]}) < len(order["lines"]) - 4:
        suspicious.append(order["number"])


@on("placed")
def print_label(order: dict[str, Any]) -> None:
    to = order["address"]
    rows = (to["name"], to["street"], f"{to['postcode']} {to['town']}".upper())
    labels[order["number"]] = "\n".join(f"{row:^38}" for row in rows)


@on("placed", "returned")
def seal(order: dict[str, Any]) -> None:
    fields = (order["number"], order["placed"], *(line["sku"] for line in order["lines"]))
    seals.append(blake2b("|".join(fields).encode(), digest_size=12).hexdigest())


@on("placed", least=2)
def by_town(order: dict[str, Any]) -> None:
    towns[order["address"]["town"]].append(len(order["lines"]))
