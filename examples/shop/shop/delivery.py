"""When a parcel arrives: working days without weekends and public holidays."""

from datetime import date, timedelta

HANDLING_DAYS = 2
HEAVY_G = 5_000
HEAVY_EXTRA_DAYS = 2


def easter(year: int) -> date:
    """Return Easter Sunday.

    Source: J.-M. Oudin (1940), in Seidelmann, Explanatory Supplement to the Astronomical Almanac.
    """
    century = year // 100
    golden = year % 19
    shift = (century - 17) // 25
    moon = (century - century // 4 - (century - shift) // 3 + 19 * golden + 15) % 30
    moon -= (moon // 28) * (1 - (moon // 28) * (29 // (moon + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + moon + 2 - century + century // 4) % 7
    offset = moon - weekday
    month = 3 + (offset + 40) // 44
    return date(year, month, offset + 28 - 31 * (month // 4))


def public_holidays(year: int) -> list[date]:
    """Return the days on which the carrier does not deliver."""
    sunday = easter(year)
    moving = [sunday + timedelta(days=days) for days in (-2, 1, 39, 50)]
    fixed = [date(year, month, day) for month, day in ((1, 1), (5, 1), (12, 25), (12, 26))]
    return moving + fixed


def working_days(year: int) -> list[date]:
    """Return all days of the year on which the carrier delivers, in order."""
    holidays = public_holidays(year)
    days = [date(year, 1, 1) + timedelta(days=offset) for offset in range(366)]
    return [day for day in days if day.year == year and day.weekday() < 5 and day not in holidays]


def estimate(ordered: date, *, weight_g: int) -> date:
    """Return the day on which something ordered now is delivered."""
    calendar = working_days(ordered.year) + working_days(ordered.year + 1)
    coming = [day for day in calendar if day > ordered]
    wait = HANDLING_DAYS + (HEAVY_EXTRA_DAYS if weight_g > HEAVY_G else 0)
    return coming[wait - 1]
