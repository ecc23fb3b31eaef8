"""A game starts with the add-ons of some of its players."""

from __future__ import annotations

from addons import read
from manifests import collection
from resolve import Workshop, activation_order


def run() -> object:
    orders = []
    for seed in range(10):
        workshop = Workshop(map(read, collection(1_200, seed)))
        tags = workshop.by_tag()
        orders.append(
            (activation_order(workshop), {tag: titles[:9] for tag, titles in tags.items()})
        )
    return orders
