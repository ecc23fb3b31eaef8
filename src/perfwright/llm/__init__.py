"""The LLM runtime: one adapter with limits, retries, breakers, caching, budgets and traces."""

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
