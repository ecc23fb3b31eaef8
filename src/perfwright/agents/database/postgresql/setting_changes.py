"""Changes of settings as statements: for the role that runs the workload, or the database. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from perfwright.agents.database.naming import literal, quote
from perfwright.agents.database.server import ServerState
from perfwright.core import ChangeError, ChangeSpec

KIND_SETTING = "postgresql-setting"


def setting_change(server: ServerState, texts: Mapping[str, str]) -> ChangeSpec:
    """Build the change that gives settings to all later sessions of the workload.

    Its inverse gives back what was set for the same role and database before, or nothing.

    Args:
        server: Who runs the workload, and where.
        texts: Values by name, as SET takes them.
    """
    subject, where = _subject(server)
    former = {
        each.name: each.value
        for each in server.role_settings
        if (each.role, each.database) == (server.workload_role, server.database)
    }
    words = ", ".join(f"{name} to {value}" for name, value in texts.items())
    return ChangeSpec(
        kind=KIND_SETTING,
        subject=", ".join(texts),
        apply=tuple(_set(subject, name, value=value) for name, value in texts.items()),
        revert=tuple(
            _set(subject, name, value=former[name])
            if name in former
            else f"ALTER {subject} RESET {name}"
            for name in texts
        ),
        summary=f"set {words} for {where}; it holds for sessions that begin afterwards",
    )


def _set(subject: str, name: str, *, value: str) -> str:
    return f"ALTER {subject} SET {name} TO {literal(value)}"


def _subject(server: ServerState) -> tuple[str, str]:
    database = quote(server.database)
    if not server.workload_role:
        return f"DATABASE {database}", f"database {server.database}"
    role = quote(server.workload_role)
    where = f"role {server.workload_role} in database {server.database}"
    return f"ROLE {role} IN DATABASE {database}", where


def overridden(server: ServerState) -> frozenset[str]:
    """Settings that some role has of its own, so that the database's would not reach it."""
    if server.workload_role:
        return frozenset()
    return frozenset(each.name for each in server.role_settings if each.role)


def session_form(change: ChangeSpec) -> tuple[str, ...]:
    """The statements that make a setting for one session, from those that keep it for a role.

    Raises:
        ChangeError: If a statement neither sets nor resets one setting.
    """
    found = []
    for statement in change.apply:
        match = _ASSIGNMENT.search(statement)
        if match is None:
            raise ChangeError(change=change.summary, problem=f"sets nothing: {statement}")
        found.append(f"SET {match['name'] or match['reset']} TO {match['value'] or 'DEFAULT'}")
    return tuple(found)


_ASSIGNMENT = re.compile(
    r"\s(?:SET\s+(?P<name>[\w.]+)\s*(?:\sTO\s|=)\s*(?P<value>'(?:[^']|'')*'|[\w.+-]+)"
    r"|RESET\s+(?P<reset>[\w.]+))\s*;?\s*\Z",
    re.IGNORECASE,
)
"""What ALTER ROLE and ALTER DATABASE end with; nothing within a quoted name reaches the end."""
