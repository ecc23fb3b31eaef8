"""After the storm."""

from __future__ import annotations

import logging
import zlib

from desk import Desk
from model import claims

logging.basicConfig(level=logging.WARNING)


def run() -> object:
    desk, sent = Desk(), 0
    for claim in claims(14_000):
        sent = zlib.crc32(desk.decide(claim).encode(), sent)
    return sent, desk.paid_cents, desk.referred
