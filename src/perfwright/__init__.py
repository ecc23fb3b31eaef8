"""perfwright makes a running system faster and proves it.

Importing this package loads nothing but the standard library; every public name below is
fetched from its own package on first use, so that a program pays only for what it touches.
"""

from typing import TYPE_CHECKING

from perfwright import _lazy
from perfwright._version import __version__

if TYPE_CHECKING:
    from perfwright.agents.database import DatabasePerformanceAgent
    from perfwright.batching import BatchProcessor, Priority, batched
    from perfwright.cache import AdvancedCache, cached
    from perfwright.container import multi_agent_profiler
    from perfwright.limits import CircuitBreaker, HostRateLimiter, RateLimiter, RedisRateLimiter
    from perfwright.llm import CostOptimizer, OptimizedLLMAdapter
    from perfwright.monitoring import PerformanceMonitor, trace
    from perfwright.optimizer import MultiAgentOrchestrator
    from perfwright.profiling import BottleneckDetector, Profiler, profile

__all__ = [
    "AdvancedCache",
    "BatchProcessor",
    "BottleneckDetector",
    "CircuitBreaker",
    "CostOptimizer",
    "DatabasePerformanceAgent",
    "HostRateLimiter",
    "MultiAgentOrchestrator",
    "OptimizedLLMAdapter",
    "PerformanceMonitor",
    "Priority",
    "Profiler",
    "RateLimiter",
    "RedisRateLimiter",
    "__version__",
    "batched",
    "cached",
    "multi_agent_profiler",
    "profile",
    "trace",
]

_HOMES = {
    "AdvancedCache": "cache",
    "BatchProcessor": "batching",
    "BottleneckDetector": "profiling",
    "CircuitBreaker": "limits",
    "CostOptimizer": "llm",
    "DatabasePerformanceAgent": "agents.database",
    "HostRateLimiter": "limits",
    "MultiAgentOrchestrator": "optimizer",
    "OptimizedLLMAdapter": "llm",
    "PerformanceMonitor": "monitoring",
    "Priority": "batching",
    "Profiler": "profiling",
    "RateLimiter": "limits",
    "RedisRateLimiter": "limits",
    "batched": "batching",
    "cached": "cache",
    "multi_agent_profiler": "container",
    "profile": "profiling",
    "trace": "monitoring",
}

__getattr__ = _lazy.fetch_from(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
