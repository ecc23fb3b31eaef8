"""What all rules have, and what the engine asks of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from perfwright.core import ConfigError, is_number
from perfwright.monitoring.alerts.notices import Severity

_SEVERITIES = ("info", "warning", "critical")
_PATTERN = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Observation:
    """What a rule saw at one look."""

    broken: bool
    value: float
    text: str
    """What was seen, with numbers, without the operation's name."""


class Watch(Protocol):
    """A rule's memory of one operation."""

    def add(self, *, end_s: float, seconds: float, failed: bool) -> None:
        """Take note of an operation that ended: on the path of every span, so it must be quick."""

    def look(self, now_s: float) -> Observation | None:
        """Judge the present; None where too little is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(ABC):
    """What all rules have."""

    name: str
    """Unique; it stands in the notice."""
    operation: str = "*"
    """Name or pattern with `*`, `?` and `[...]`; each operation has an alert of its own."""
    severity: Severity = "warning"
    for_s: float = 0.0
    """How long the condition must hold before the alert fires."""
    cooldown_s: float = 300.0
    """After a notice, no other one of the same alert's firing for so long."""
    repeat_s: float = 0.0
    """Tell again while it still fires; 0: never."""

    def __post_init__(self) -> None:
        for field in ("name", "operation"):
            value: object = getattr(self, field)
            if not isinstance(value, str) or not value:
                raise ConfigError(field=field, value=value, problem="must be a text, not empty")
        if self.severity not in _SEVERITIES:
            problem = f"must be one of {', '.join(_SEVERITIES)}"
            raise ConfigError(field="severity", value=self.severity, problem=problem)
        for field in ("for_s", "cooldown_s", "repeat_s"):
            require(field, getattr(self, field), least=0.0)

    @property
    def expected(self) -> str | None:
        """The operation to watch from the start; None where the rule has a pattern."""
        return expected(self.operation)

    def matches(self, operation: str) -> bool:
        """Return whether this rule is for an operation."""
        return fnmatchcase(operation, self.operation)

    @abstractmethod
    def watch(self, *, now_s: float) -> Watch:
        """Begin to watch one operation."""


def expected(pattern: str) -> str | None:
    """Return the only operation that a pattern names, or None if it may name several."""
    return None if _PATTERN.intersection(pattern) else pattern


def require(field: str, value: object, *, least: float) -> None:
    """Refuse a setting that is no finite number from `least` on."""
    if not is_number(value) or not least <= value < math.inf:  # type: ignore[operator]  # a number
        raise ConfigError(field=field, value=value, problem=f"must be a number >= {least:g}")


def require_whole(field: str, value: object) -> None:
    """Refuse a setting that is no whole number from 0 on."""
    if type(value) is not int or value < 0:
        raise ConfigError(field=field, value=value, problem="must be a whole number >= 0")
