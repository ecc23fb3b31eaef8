"""The layers that perfwright looks at, one package each; they know nothing of one another."""

from perfwright.agents.database import DatabasePerformanceAgent

__all__ = ["DatabasePerformanceAgent"]
