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
from perfwright.optimizer.machine import describe_machine
from perfwright.optimizer.multi_agent import MultiAgentOrchestrator
from perfwright.optimizer.options import RunOptions
from perfwright.optimizer.run import Run, new_run_id

__all__ = [
    "Calibrated",
    "Event",
    "Examined",
    "Failed",
    "MultiAgentOrchestrator",
    "Observer",
    "Run",
    "RunOptions",
    "StageBegan",
    "StepSaid",
    "Tried",
    "Trying",
    "describe_machine",
    "new_run_id",
]
