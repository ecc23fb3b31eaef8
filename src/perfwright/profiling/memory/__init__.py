"""Memory: what is held at the peak and at the end, and what grows for good."""

from perfwright.profiling.memory.probe import MemoryProbe

__all__ = ["MemoryProbe"]
