"""Customers fill their carts."""

from __future__ import annotations

import random

from cart import Cart
from pricing import receipt


def shop(rng: random.Random) -> str:
    cart = Cart()
    for step in range(45):
        number = rng.randrange(35)
        if step % 11 == 10:
            cart.undo()
        elif step % 5 == 4:
            cart.change(f"sku-{number}", rng.randrange(1, 9))
        else:
            cart.add(f"sku-{number}", f"Article {number}", 100 + 37 * number)
        if step % 15 == 0:
            receipt(cart)
    return receipt(cart)


def run() -> object:
    rng = random.Random(6)
    return [shop(rng) for _ in range(800)]
