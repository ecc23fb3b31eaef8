"""What waits for the printer."""

from __future__ import annotations

import bisect
from dataclasses import dataclass


@dataclass(frozen=True)
class PrintJob:
    number: int
    user: str
    pages: int


class Spool:
    def __init__(self) -> None:
        self.waiting: list[PrintJob] = []
        self.cancelled = 0
        self.printed = 0

    def add(self, job: PrintJob) -> None:
        bisect.insort(self.waiting, job, key=lambda each: each.number)

    def cancel(self, number: int, user: str) -> bool:
        for index, job in enumerate(self.waiting):
            if job.number == number and job.user == user:
                del self.waiting[index]
                self.cancelled += 1
                return True
        return False

    def take(self) -> PrintJob | None:
        if not self.waiting:
            return None
        self.printed += 1
        return self.waiting.pop(0)
