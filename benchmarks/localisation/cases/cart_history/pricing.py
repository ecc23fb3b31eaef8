"""Discounts and totals."""

from __future__ import annotations

from cart import Cart

STEPS = ((50_000, 12), (20_000, 7), (5_000, 3))


def discount(cents: int) -> int:
    for above, percent in STEPS:
        if cents >= above:
            return cents * percent // 100
    return 0


def receipt(cart: Cart) -> str:
    rows = [
        f"{line.title:<30}{line.amount:>4} x {line.cents / 100:>8.2f}"
        for line in cart.lines.values()
    ]
    total = cart.total()
    rows.append(f"{'total':<30}{(total - discount(total)) / 100:>15.2f}")
    return "\n".join(rows)
