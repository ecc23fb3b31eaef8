"""perfwright makes a running system faster and proves it.

Importing this package loads nothing but the standard library; every public name below is
fetched from its own package on first use, so that a program pays only for what it touches.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from perfwright._version import __version__

if TYPE_CHECKING:
    from perfwright.agents.database import DatabasePerformanceAgent
    from perfwright.batching import BatchProcessor, Priority, batched
    from perfwright.cache import AdvancedCache, cached
    from perfwright.container import multi_agent_profiler
    from perfwright.limits import CircuitBreaker, HostRateLimiter, RateLimiter, RedisRateLimiter
    from perfwright.llm import CostOptimizer, OptimizedLLMAdapter
    from perfwright.optimizer import MultiAgentOrchestrator

__all__ = [
    "AdvancedCache",
    "BatchProcessor",
    "CircuitBreaker",
    "CostOptimizer",
    "DatabasePerformanceAgent",
    "HostRateLimiter",
    "MultiAgentOrchestrator",
    "OptimizedLLMAdapter",
    "Priority",
    "RateLimiter",
    "RedisRateLimiter",
    "__version__",
    "batched",
    "cached",
    "multi_agent_profiler",
]

_HOMES = {
    "AdvancedCache": "perfwright.cache",
    "BatchProcessor": "perfwright.batching",
    "CircuitBreaker": "perfwright.limits",
    "CostOptimizer": "perfwright.llm",
    "DatabasePerformanceAgent": "perfwright.agents.database",
    "HostRateLimiter": "perfwright.limits",
    "MultiAgentOrchestrator": "perfwright.optimizer",
    "OptimizedLLMAdapter": "perfwright.llm",
    "Priority": "perfwright.batching",
    "RateLimiter": "perfwright.limits",
    "RedisRateLimiter": "perfwright.limits",
    "batched": "perfwright.batching",
    "cached": "perfwright.cache",
    "multi_agent_profiler": "perfwright.container",
}


def __getattr__(name: str) -> Any:  # a module attribute may be of any type
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'perfwright' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return __all__
