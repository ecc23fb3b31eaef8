"""What the customer takes home."""

from __future__ import annotations

from string import Template

from estimates import Estimate
from parcels import Parcel

RECEIPT = Template("Parcel $number, $kilo kg: $days days by way of $first and $last")


def receipt(parcel: Parcel, estimate: Estimate) -> str:
    return RECEIPT.substitute(
        number=parcel.number,
        kilo=f"{parcel.grams / 1000:.2f}",
        days=-(-estimate.hours // 24),
        first=estimate.legs[0].place,
        last=estimate.legs[-1].place,
    )
