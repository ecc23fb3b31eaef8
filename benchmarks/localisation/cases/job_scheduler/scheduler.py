"""Runs jobs in the order of their due times."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(order=True)
class Job:
    due: int
    number: int
    repeats: int
    every: int

    def urgency(self) -> tuple[int, int]:
        return self.due, self.number


class Scheduler:
    def __init__(self, jobs: list[Job]) -> None:
        self.jobs = jobs
        self.heap: list[tuple[tuple[int, int], Job]] = []
        self.known = len(jobs)
        self.now = 0
        self.log: list[tuple[int, int]] = []

    def next_job(self) -> Job:
        waiting = sorted(self.jobs, key=Job.urgency)
        job = waiting[0]
        self.jobs.remove(job)
        return job

    def run_until(self, steps: int) -> None:
        for _ in range(steps):
            job = self.next_job()
            self.now = max(self.now, job.due)
            self.log.append((self.now, job.number))
            if job.repeats:
                self.jobs.append(Job(job.due + job.every, job.number, job.repeats - 1, job.every))


def crontab(count: int) -> list[Job]:
    rng = random.Random(18)
    return [
        Job(rng.randrange(10_000), number, rng.randrange(40), rng.randrange(10, 900))
        for number in range(count)
    ]
