"""Objects that other systems may have."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

LABEL = "__label__"


def exported(label: str) -> Callable[[Callable[[Any], Any]], property]:
    """Make a property that is part of exports."""

    def mark(function: Callable[[Any], Any]) -> property:
        setattr(function, LABEL, label)
        return property(function)

    return mark


class Exchangeable:
    @property
    def exported(self) -> list[tuple[str, Callable[[Any], Any]]]:
        found = inspect.getmembers(type(self), lambda member: isinstance(member, property))
        return [(name, member.fget) for name, member in found if hasattr(member.fget, LABEL)]

    def as_row(self) -> dict[str, Any]:
        return {getattr(read, LABEL): read(self) for _, read in self.exported}
