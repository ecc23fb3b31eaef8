"""A year of loans."""

from __future__ import annotations

import zlib

from desk import Desk
from scopes import FINISHED

DESK = Desk()


def run() -> object:
    answers = 0
    for number in range(24_000):
        answer = DESK.handle(number % 1_500, f"work {number % 4_000}")
        answers = zlib.crc32(answer.encode(), answers)
    return answers, sorted(FINISHED.items()), DESK.answered
