"""The statements that a program sends, grouped into shapes."""

from perfwright.agents.database.workload.lexing import Token, split_statements, tokenize
from perfwright.agents.database.workload.loading import Workload, load_workload
from perfwright.agents.database.workload.shapes import (
    MIN_CONSTANT_CALLS,
    Execution,
    ShapeCollector,
)

__all__ = [
    "Execution",
    "MIN_CONSTANT_CALLS",
    "ShapeCollector",
    "Token",
    "Workload",
    "load_workload",
    "split_statements",
    "tokenize",
]
