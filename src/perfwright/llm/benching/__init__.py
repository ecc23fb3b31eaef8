"""What the runtime's headline claims come to on this machine, against a simulated provider."""

from perfwright.llm.benching.claims import Claim, Measured
from perfwright.llm.benching.running import (
    FULL,
    QUICK,
    Benched,
    BenchPlan,
    Repetition,
    run_bench,
)

__all__ = [
    "BenchPlan",
    "Benched",
    "Claim",
    "FULL",
    "Measured",
    "QUICK",
    "Repetition",
    "run_bench",
]
