"""Finds people who are in the books twice."""

from __future__ import annotations

from customers import Customer


def same_person(one: Customer, other: Customer) -> bool:
    if one.postcode != other.postcode or one.birthday != other.birthday:
        return False
    return one.key == other.key or one.mail.casefold() == other.mail.casefold()


def find_duplicates(customers: list[Customer]) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for index, one in enumerate(customers):
        for other in customers[index + 1 :]:
            if same_person(one, other):
                pairs.append((one.number, other.number))
    return pairs


def survivors(customers: list[Customer], pairs: list[tuple[int, int]]) -> list[Customer]:
    dropped = {second for _, second in pairs}
    return [customer for customer in customers if customer.number not in dropped]
