"""Readers open the front page on different days."""

from __future__ import annotations

from hashlib import sha256

from mapper import Session
from models import database
from pages import front


def run() -> object:
    session = Session(database(3_000))
    pages = [front(session, 2_000 + 14 * day) for day in range(1100)]
    return [sha256(page.encode()).hexdigest()[:16] for page in pages]
