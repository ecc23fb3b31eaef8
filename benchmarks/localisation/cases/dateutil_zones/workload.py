"""When meetings begin, in the zone of each who takes part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dateutil import rrule, tz

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney", "Asia/Kolkata")


def meetings(series: int) -> list[datetime]:
    start = datetime(2026, 1, 5, 8) + timedelta(minutes=15 * series)
    days = rrule.rrule(rrule.WEEKLY, dtstart=start, count=10, byweekday=(rrule.MO, rrule.TH))
    return [day.replace(tzinfo=UTC) for day in days]


def local(moment: datetime, zone: str) -> str:
    return moment.astimezone(tz.gettz(zone)).strftime("%a %d %b %H:%M")


def invitation(series: int) -> list[str]:
    zones = [ZONES[(series + number) % len(ZONES)] for number in range(3)]
    return [local(moment, zone) for moment in meetings(series) for zone in zones]


def run() -> object:
    return [invitation(series) for series in range(800)]
