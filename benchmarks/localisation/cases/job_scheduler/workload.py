"""A day of a job server."""

from __future__ import annotations

from report import busiest_hours, gaps
from scheduler import Scheduler, crontab


def run() -> object:
    scheduler = Scheduler(crontab(2_200))
    scheduler.run_until(2_000)
    return sorted(gaps(scheduler.log).items()), busiest_hours(scheduler.log)
