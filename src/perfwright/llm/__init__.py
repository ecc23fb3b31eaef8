"""The LLM runtime: one adapter with limits, retries, breakers, caching, budgets and traces.

Public names are fetched from their modules on first use, so that a program pays for what it uses.
"""

from typing import TYPE_CHECKING

from perfwright import _lazy

if TYPE_CHECKING:
    from perfwright.llm.adapter import OptimizedLLMAdapter
    from perfwright.llm.cost import Budget, Price, Prices
    from perfwright.llm.endpoints import CallSettings, Endpoint, HedgeSettings
    from perfwright.llm.replies import Completion, Piece, Reply, Usage
    from perfwright.llm.requests import Api, Request
    from perfwright.llm.routing import CostOptimizer
    from perfwright.llm.streaming import CompletionStream
    from perfwright.llm.telemetry import MonitorSink
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
    "MonitorSink",
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
    "telemetry": ("MonitorSink",),
    "tracing": ("CallTrace", "Stage", "TraceSink"),
    "transport": ("Call", "ReplyStream", "Transport"),
}

__getattr__ = _lazy.fetch_from(
    __name__, {name: home for home, names in _HOMES.items() for name in names}
)


def __dir__() -> list[str]:
    return __all__
