"""The one place that builds real objects from a configuration."""

from perfwright.container.assembly import (
    Assignment,
    build_agents,
    check_goals,
    multi_agent_profiler,
    resolve,
)
from perfwright.container.config import FILE_NAME, Config, load_config
from perfwright.container.workspace import (
    Workspace,
    bind_change,
    open_workspace,
    spec_of_script,
    with_present_inverse,
)

__all__ = [
    "Assignment",
    "Config",
    "FILE_NAME",
    "Workspace",
    "bind_change",
    "build_agents",
    "check_goals",
    "load_config",
    "multi_agent_profiler",
    "open_workspace",
    "resolve",
    "spec_of_script",
    "with_present_inverse",
]
