"""The one place that builds real objects from a configuration.

Names are fetched on first use: a program that only wants the runtime's `container` does not pay
for the agents, nor the command line for the runtime.
"""

from typing import TYPE_CHECKING

from perfwright import _lazy

if TYPE_CHECKING:
    from perfwright.container.assembly import (
        Assignment,
        build_agents,
        check_goals,
        multi_agent_profiler,
        resolve,
    )
    from perfwright.container.config import FILE_NAME, Config, load_config
    from perfwright.container.instances import Container, container
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
    "Container",
    "FILE_NAME",
    "Workspace",
    "bind_change",
    "build_agents",
    "check_goals",
    "container",
    "load_config",
    "multi_agent_profiler",
    "open_workspace",
    "resolve",
    "spec_of_script",
    "with_present_inverse",
]

_HOMES = {
    "Assignment": "assembly",
    "Config": "config",
    "Container": "instances",
    "FILE_NAME": "config",
    "Workspace": "workspace",
    "bind_change": "workspace",
    "build_agents": "assembly",
    "check_goals": "assembly",
    "container": "instances",
    "load_config": "config",
    "multi_agent_profiler": "assembly",
    "open_workspace": "workspace",
    "resolve": "assembly",
    "spec_of_script": "workspace",
    "with_present_inverse": "workspace",
}

__getattr__ = _lazy.fetch_from(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
