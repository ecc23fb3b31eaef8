"""The LLM runtime: one adapter with limits, retries, breakers, caching, budgets and traces.

Public names are fetched from their modules on first use, so that a program pays for what it uses.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perfwright.llm.adapter import OptimizedLLMAdapter
    from perfwright.llm.cost import Budget, Price, Prices
    from perfwright.llm.endpoints import CallSettings, Endpoint, HedgeSettings
    from perfwright.llm.replies import Completion, Piece, Reply, Usage
    from perfwright.llm.requests import Api, Request
    from perfwright.llm.routing import CostOptimizer
    from perfwright.llm.streaming import CompletionStream
    from perfwright.llm.tracing import CallTrace, Stage, TraceSink
    from perfwright.llm.transport import Call, ReplyStream, Transport

__all__ = [
    "Api",
    "Budget",
    "Call",
    "CallSettings",
    "CallTrace",
    "Completion",
    "CompletionStream",
    "CostOptimizer",
    "Endpoint",
    "HedgeSettings",
    "OptimizedLLMAdapter",
    "Piece",
    "Price",
    "Prices",
    "Reply",
    "ReplyStream",
    "Request",
    "Stage",
    "TraceSink",
    "Transport",
    "Usage",
]

_HOMES = {
    "adapter": ("OptimizedLLMAdapter",),
    "cost": ("Budget", "Price", "Prices"),
    "endpoints": ("CallSettings", "Endpoint", "HedgeSettings"),
    "replies": ("Completion", "Piece", "Reply", "Usage"),
    "requests": ("Api", "Request"),
    "routing": ("CostOptimizer",),
    "streaming": ("CompletionStream",),
    "tracing": ("CallTrace", "Stage", "TraceSink"),
    "transport": ("Call", "ReplyStream", "Transport"),
}


def __getattr__(name: str) -> Any:  # a module attribute may be of any type
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"perfwright.llm.{home}"), name)
    raise AttributeError(f"module 'perfwright.llm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
