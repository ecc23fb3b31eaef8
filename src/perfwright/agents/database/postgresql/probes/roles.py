"""Who runs the statements of a database, and which settings roles and databases have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perfwright.agents.database.naming import literal, quote
from perfwright.agents.database.postgresql.knobs import workload_settings
from perfwright.agents.database.postgresql.probes.asking import Row, ask, ask_if_possible
from perfwright.agents.database.postgresql.probes.connection import NAME
from perfwright.agents.database.server import RoleSetting, ServerState
from perfwright.experiments.changes import HARMLESS_SETTINGS

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection
    from perfwright.agents.database.postgresql.probes.place import Place

MOST = 0.8  # of the time, for a role to be the one that runs the workload

_HARMLESS = ", ".join(map(literal, sorted(HARMLESS_SETTINGS)))
_SETTINGS = f"""
    SELECT split_part(c.assignment, '=', 1), substr(c.assignment, strpos(c.assignment, '=') + 1),
        coalesce(r.rolname, '')::text, coalesce(d.datname, '')::text
    FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS c(assignment)
        LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
    WHERE (s.setdatabase = 0 OR d.datname = current_database())
        AND split_part(c.assignment, '=', 1) IN ({_HARMLESS})
    ORDER BY 1, 3, 4
"""
_EXTENSION = """
    SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'pg_stat_statements'
"""
_SESSIONS = f"""
    SELECT a.usename::text, count(*)::float8 FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.usename IS NOT NULL
        AND a.pid <> pg_backend_pid() AND a.application_name <> {literal(NAME)}
    GROUP BY 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Who runs the workload, and with which settings."""

    database: str = ""
    workload_role: str = ""
    """Empty when unknown, or when several do."""
    settings: tuple[RoleSetting, ...] = ()


def read_roles(connection: Connection) -> Roles:
    """Read who runs the statements, and what is set for whom.

    Raises:
        psycopg.Error: If the database cannot say its name or the settings.
    """
    ((database,),) = ask(connection, "SELECT current_database()::text")
    return Roles(
        database=database,
        workload_role=_role(connection),
        settings=tuple(
            RoleSetting(name=name, value=value, role=role, database=where)
            for name, value, role, where in ask(connection, _SETTINGS)
        ),
    )


def as_the_workload(place: Place, server: ServerState) -> Place:
    """Give sessions on the copies what the role and the database of the workload have set."""
    own = (f"SET {name} TO {literal(value)}" for name, value in workload_settings(server).items())
    return replace(place, session=(*place.session, *own))


def _role(connection: Connection) -> str:
    """The role that runs the workload.

    By calls and by time, since a load takes much time in few calls, and a monitor the other way
    round; by connections where nothing is counted.
    """
    counted = _counted(connection)
    if not counted:
        return _most(ask(connection, _SESSIONS))
    by_calls = _most((role, calls) for role, calls, _ in counted)
    by_time = _most((role, ms) for role, _, ms in counted)
    return by_calls if by_calls == by_time else ""


def _counted(connection: Connection) -> list[Row]:
    """Calls and milliseconds of all statements by role; nothing where they are not counted."""
    found = ask_if_possible(connection, _EXTENSION)
    if not found:
        return []
    view = f"{quote(str(found[0][0]))}.pg_stat_statements"
    rows = ask_if_possible(
        connection,
        f"SELECT r.rolname::text, sum(s.calls)::float8, sum(s.total_exec_time) FROM {view} s"
        " JOIN pg_roles r ON r.oid = s.userid JOIN pg_database d ON d.oid = s.dbid"
        " WHERE d.datname = current_database() GROUP BY 1",
    )
    return rows or []


def _most(shares: Iterable[tuple[object, ...]]) -> str:
    found = {str(role): float(str(share)) for role, share in shares}
    total = sum(found.values())
    role = max(found, key=lambda each: (found[each], each), default="")
    return role if total > 0 and found[role] >= MOST * total else ""
