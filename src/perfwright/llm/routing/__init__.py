"""Which model answers: by need, price, budget and outcomes."""

from perfwright.llm.routing.choice import Choice, ModelChooser
from perfwright.llm.routing.optimizer import CostOptimizer

__all__ = ["Choice", "CostOptimizer", "ModelChooser"]
