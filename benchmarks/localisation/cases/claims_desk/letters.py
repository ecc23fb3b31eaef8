"""What the insured get to read."""

from __future__ import annotations

import textwrap

from model import Claim


def letter(claim: Claim, cents: int) -> str:
    things = ", ".join(sorted({item.what for item in claim.items}))
    text = (
        f"Your claim {claim.number} on policy {claim.policy} for {things} was decided. "
        f"We pay {cents / 100:.2f}. {' '.join(claim.notes)}"
    )
    return textwrap.fill(text, 48)
