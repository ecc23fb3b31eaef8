"""What a person is told, and the state of what they are told about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "critical"]
State = Literal["pending", "firing", "resolved"]
"""`pending`: the condition holds, but not for long enough yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One rule that is, or was, broken by one operation."""

    rule: str
    operation: str
    """Empty for a rule that watches no operation."""
    state: State
    severity: Severity
    text: str
    """What was seen, with numbers; one sentence."""
    value: float
    """What the rule compared last."""
    since_s: float
    """When the condition began to hold, in seconds of the clock."""
    fired_s: float | None = None
    """When it began to fire; None while pending."""
    resolved_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message: of one alert, or of several that came together."""

    title: str
    body: str
    severity: Severity
    """The worst of its alerts."""
    resolved: bool
    """Good news: everything in it is over."""
    alerts: tuple[Alert, ...] = ()


def printable(name: str) -> str:
    """Return a name as one line of at most 200 characters: names may come from other processes."""
    shown = name if name.isprintable() else "".join(c if c.isprintable() else "?" for c in name)
    return shown if len(shown) <= 200 else f"{shown[:199]}…"
