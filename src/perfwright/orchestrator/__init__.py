"""Tasks, their queue, and the engines that run them."""

from perfwright.orchestrator.engines import LocalEngine
from perfwright.orchestrator.orchestrator import Orchestrator
from perfwright.orchestrator.tasks import EXCLUSIVE, Engine, Load, Task, TaskResult

__all__ = ["EXCLUSIVE", "Engine", "Load", "LocalEngine", "Orchestrator", "Task", "TaskResult"]
