"""The append-only record of experiments, changes and spending."""

from perfwright.experiments.ledger.applying import Applier, Guard, Recovery
from perfwright.experiments.ledger.ledger import OPEN_STATES, Ledger
from perfwright.experiments.ledger.records import (
    AgentFailure,
    CalibrationRecord,
    ChangeEntry,
    ChangeState,
    GoalResult,
    RunRecord,
    RunStatus,
)

__all__ = [
    "AgentFailure",
    "Applier",
    "CalibrationRecord",
    "ChangeEntry",
    "ChangeState",
    "GoalResult",
    "Guard",
    "Ledger",
    "OPEN_STATES",
    "Recovery",
    "RunRecord",
    "RunStatus",
]
