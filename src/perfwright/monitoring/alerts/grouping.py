"""Puts what came together into one message. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from perfwright.monitoring.alerts.condition import Event
from perfwright.monitoring.alerts.notices import Alert, Notice, Severity, printable

Group = Literal["each", "rule", "all"]
GROUPS: tuple[str, ...] = get_args(Group)
_WORST: tuple[Severity, ...] = ("info", "warning", "critical")
_MOST_LINES = 10


def notices(events: Iterable[tuple[Event, Alert]], *, group: Group) -> list[Notice]:
    """Make notices of what happened at one evaluation; good and bad news are kept apart."""
    groups: dict[tuple[object, ...], list[Alert]] = {}
    for event, alert in events:
        resolved = event == "resolved"
        key: tuple[object, ...] = (resolved,)
        if group != "all":
            key += (alert.rule,)
        if group == "each":
            key += (alert.operation,)
        groups.setdefault(key, []).append(alert)
    return [_notice(alerts, resolved=bool(key[0])) for key, alerts in groups.items()]


def _notice(alerts: Sequence[Alert], *, resolved: bool) -> Notice:
    lines = [_line(alert) for alert in alerts[:_MOST_LINES]]
    if len(alerts) > _MOST_LINES:
        lines.append(f"and {len(alerts) - _MOST_LINES} more")
    return Notice(
        title=("Resolved: " if resolved else "Alert: ") + _subject(alerts),
        body="\n".join(lines),
        severity=max((alert.severity for alert in alerts), key=_WORST.index),
        resolved=resolved,
        alerts=tuple(alerts),
    )


def _subject(alerts: Sequence[Alert]) -> str:
    rules = list(dict.fromkeys(alert.rule for alert in alerts))
    if len(alerts) == 1:
        return rules[0]
    if len(rules) == 1:
        return f"{rules[0]} ({len(alerts)} operations)"
    return f"{len(alerts)} alerts of {len(rules)} rules"


def _line(alert: Alert) -> str:
    return f"{printable(alert.operation)}: {alert.text}" if alert.operation else alert.text
