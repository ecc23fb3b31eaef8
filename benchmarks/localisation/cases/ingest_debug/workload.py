"""An hour of readings."""

from __future__ import annotations

import logging

from pipeline import Pipeline
from readings import decode, frames

logging.basicConfig(level=logging.INFO)


def run() -> object:
    pipeline = Pipeline()
    for frame in frames(150_000):
        pipeline.accept(decode(frame))
    return round(sum(pipeline.smoothed), 3), sorted(pipeline.alarms.items())
