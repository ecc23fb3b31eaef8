"""A week at the counter."""

from __future__ import annotations

import zlib

from estimates import Estimator
from parcels import parcels
from receipts import receipt

ESTIMATOR = Estimator()


def run() -> object:
    printed = 0
    for parcel in parcels(30_000):
        printed = zlib.crc32(receipt(parcel, ESTIMATOR.estimate(parcel)).encode(), printed)
    return printed
