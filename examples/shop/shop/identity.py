"""Who exists in the seeded shop: what the seed, the traffic and the tests agree on."""

import hashlib
from datetime import UTC, datetime

from shop.vocabulary import FIRST_NAMES, LAST_NAMES

NOW = datetime(2026, 11, 2, 8, 0, 0, tzinfo=UTC)
"""The moment at which the seeded history ends."""

PASSWORD = "correct horse battery"
"""The password of every seeded customer."""

STAFF_ID = 1


def customer_name(number: int) -> tuple[str, str]:
    """Return the first and the last name of a seeded customer, numbered from 1."""
    first = FIRST_NAMES[number * 7 % len(FIRST_NAMES)]
    last = LAST_NAMES[number * 31 % len(LAST_NAMES)]
    return first, last


def customer_email(number: int) -> str:
    """Return the address as the customer typed it at sign-up; some shift keys were held down."""
    first, last = customer_name(number)
    local = f"{first}.{last}{number}" if number % 3 == 0 else f"{first}.{last}{number}".lower()
    return f"{local}@example.org"


def session_token(number: int) -> str:
    """Return the token of a seeded session, numbered from 1."""
    return hashlib.sha256(f"session {number}".encode()).hexdigest()[:16]


def timestamp(moment: datetime) -> str:
    """Write a moment in the form in which the database stores it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
