"""Reports whose users write their own date patterns."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_datetime, get_month_names

DAY = datetime(2026, 4, 1, 13, 27, 53)


def caption(tenant: int, kind: int) -> str:
    pattern = f"EEEE, d MMMM y 'at' HH:mm:ss 'for tenant {tenant} in report {kind}'"
    return format_datetime(DAY, pattern, locale="en")


def months() -> int:
    return sum(len(name) for name in get_month_names("wide", locale="de").values())


def run() -> object:
    written = months()
    for tenant in range(60_000):
        written += len(caption(tenant, tenant % 7))
    return written
