"""The plan of a statement whose values nobody knows: the one that fits any value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfwright.agents.database.postgresql.normalising import parameters_in
from perfwright.agents.database.postgresql.probes.asking import ask

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

GENERIC_PLAN = 16  # the first major version with EXPLAIN (GENERIC_PLAN)
_NAME = "perfwright_generic"


def explain_generic(connection: Connection, sql: str, *, major: int) -> Any:
    """Return the document of EXPLAIN (FORMAT JSON) for a statement with `$1`, `$2` ...

    Nothing is executed. Before PostgreSQL 16 the statement is prepared and its generic plan asked
    for; NULL stands for each value then, which a generic plan does not look at.

    Raises:
        psycopg.Error: If it cannot be planned, such as where the type of a parameter is not told.
    """
    if major >= GENERIC_PLAN:
        return ask(connection, f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {sql}")[0][0]
    count = max(parameters_in(sql), default=0)
    given = f"({', '.join(['NULL'] * count)})" if count else ""
    connection.execute(f"PREPARE {_NAME} AS {sql}".encode())
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            return ask(connection, f"EXPLAIN (FORMAT JSON) EXECUTE {_NAME}{given}")[0][0]
    finally:
        connection.execute(f"DEALLOCATE {_NAME}")
