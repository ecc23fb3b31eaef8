"""What the runtime's headline claims come to on this machine, against a simulated provider."""

from perfwright.llm.benching.claims import Claim, Measured
from perfwright.llm.benching.running import BenchPlan, FULL, QUICK, run_bench

__all__ = ["FULL", "QUICK", "BenchPlan", "Claim", "Measured", "run_bench"]
