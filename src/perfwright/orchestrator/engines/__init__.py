"""Where tasks run."""

from perfwright.orchestrator.engines.local import LocalEngine

__all__ = ["LocalEngine"]
