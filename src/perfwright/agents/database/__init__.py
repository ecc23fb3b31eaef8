"""The database agent: `DatabasePerformanceAgent`."""

from perfwright.agents.database.agent import DatabasePerformanceAgent

__all__ = ["DatabasePerformanceAgent"]
