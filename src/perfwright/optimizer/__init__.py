"""The loop over agents: what to try next, when to stop, what it all brought."""

from perfwright.optimizer.events import (
    Calibrated,
    Event,
    Examined,
    Failed,
    Observer,
    StageBegan,
    StepSaid,
    Tried,
    Trying,
)
from perfwright.optimizer.options import RunOptions
from perfwright.optimizer.run import Run, new_run_id

__all__ = [
    "Calibrated",
    "Event",
    "Examined",
    "Failed",
    "Observer",
    "Run",
    "RunOptions",
    "StageBegan",
    "StepSaid",
    "Tried",
    "Trying",
    "new_run_id",
]
