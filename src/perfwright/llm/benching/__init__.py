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
    "FULL",
    "QUICK",
    "BenchPlan",
    "Benched",
    "Claim",
    "Measured",
    "Repetition",
    "run_bench",
]
