"""Finds the task that was asked for."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

import tasks

Task = Callable[..., str]


def tasks_by_name() -> dict[str, Task]:
    found = {}
    for module in pkgutil.iter_modules(tasks.__path__):
        loaded = importlib.import_module(f"{tasks.__name__}.{module.name}")
        found[module.name] = loaded.main
    return found


def run(line: str) -> str:
    name, *arguments = line.split()
    return tasks_by_name()[name](*arguments)
