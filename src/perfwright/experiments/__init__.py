"""The experiment engine: interleaved samples, honest verdicts, reversible changes, a ledger."""

from perfwright.experiments.calibration import Calibration, calibrate
from perfwright.experiments.commands import (
    CommandBench,
    CommandFailedError,
    CommandRun,
    CommandRunner,
    split_command,
)
from perfwright.experiments.comparison import (
    COMPARE_ALPHA,
    Comparison,
    Contest,
    Winner,
    noise_floor,
)
from perfwright.experiments.decision import Leaning, lean
from perfwright.experiments.design import DEFAULT_ALPHA, DEFAULT_MIN_EFFECT, Design, blocks
from perfwright.experiments.sampler import Sampler, block_data
from perfwright.experiments.trial import Trial, TrialResult, machine_state

__all__ = [
    "COMPARE_ALPHA",
    "Calibration",
    "CommandBench",
    "CommandFailedError",
    "CommandRun",
    "CommandRunner",
    "Comparison",
    "Contest",
    "DEFAULT_ALPHA",
    "DEFAULT_MIN_EFFECT",
    "Design",
    "Leaning",
    "Sampler",
    "Trial",
    "TrialResult",
    "Winner",
    "block_data",
    "blocks",
    "calibrate",
    "lean",
    "machine_state",
    "noise_floor",
    "split_command",
]
