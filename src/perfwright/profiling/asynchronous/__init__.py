"""Event loops: what holds them, and what their tasks wait for."""

from perfwright.profiling.asynchronous.looks import LookProbe
from perfwright.profiling.asynchronous.probe import AsyncProbe

__all__ = ["AsyncProbe", "LookProbe"]
