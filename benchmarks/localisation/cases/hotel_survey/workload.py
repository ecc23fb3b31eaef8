"""A town counts its guests' choices for a week and a half."""

from __future__ import annotations

from desk import Desk
from survey import Survey


def run() -> object:
    survey = Survey(Desk(), [f"Hotel {name}" for name in "ABCDEFGHIJKLMNOP"])
    nights = survey.season(8)
    survey.threads.shutdown()
    return [
        (night.number, night.median, night.closed, sorted(night.cheapest.items()))
        for night in nights
    ]
