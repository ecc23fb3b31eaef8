"""The LLM runtime: one adapter with limits, retries, breakers, caching, budgets and traces."""

from perfwright.llm.replies import Completion, Piece, Reply, Usage
from perfwright.llm.requests import Api, Request
from perfwright.llm.tracing import CallTrace, Stage, TraceSink
from perfwright.llm.transport import Call, ReplyStream, Transport

__all__ = [
    "Api",
    "Call",
    "CallTrace",
    "Completion",
    "Piece",
    "Reply",
    "ReplyStream",
    "Request",
    "Stage",
    "TraceSink",
    "Transport",
    "Usage",
]
