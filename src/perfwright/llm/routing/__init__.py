"""Which model answers: by need, price, budget and outcomes."""

from perfwright.llm.routing.cascade import Cascade, CascadeReport
from perfwright.llm.routing.checks import (
    Answered,
    Check,
    Confident,
    Consistent,
    FitsSchema,
    Verified,
)
from perfwright.llm.routing.choice import Choice, ModelChooser
from perfwright.llm.routing.gain import PairedOutcome
from perfwright.llm.routing.intervals import Interval
from perfwright.llm.routing.optimizer import CostOptimizer
from perfwright.llm.routing.router import Router
from perfwright.llm.routing.shadow import ShadowEvaluation, ShadowReport
from perfwright.llm.routing.verdict import Decision, Evidence, Goal, Verdict

__all__ = [
    "Answered",
    "Cascade",
    "CascadeReport",
    "Check",
    "Choice",
    "Confident",
    "Consistent",
    "CostOptimizer",
    "Decision",
    "Evidence",
    "FitsSchema",
    "Goal",
    "Interval",
    "ModelChooser",
    "PairedOutcome",
    "Router",
    "ShadowEvaluation",
    "ShadowReport",
    "Verdict",
    "Verified",
]
