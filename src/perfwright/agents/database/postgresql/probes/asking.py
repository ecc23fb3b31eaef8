"""One question to the server, strictly or content with no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

Row = tuple[Any, ...]

USER_SCHEMA = "(n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')"
"""Condition on `pg_namespace n`: neither the system's own nor anybody's temporary tables."""
NOT_AN_EXTENSIONS = (
    "NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass "
    "AND d.objid = c.oid AND d.deptype = 'e')"
)
"""Condition on `pg_class c`: no extension made it."""

TABLE_NAME = (
    "CASE WHEN pg_table_is_visible(c.oid) THEN c.relname::text "
    "ELSE n.nspname || '.' || c.relname END"
)
"""`Table.name` of `pg_class c` in `pg_namespace n`."""


def ask(connection: Connection, question: str) -> list[Row]:
    """Return all rows; names are always the catalog's own, whatever the search path holds."""
    return connection.execute(question.encode()).fetchall()


def ask_if_possible(connection: Connection, question: str) -> list[Row] | None:
    """Return all rows; None where the role may not, or a lock or a time limit stands against it."""
    import psycopg

    try:
        return ask(connection, question)
    except psycopg.DatabaseError:
        if connection.broken:
            raise
        return None


def pairs_if_possible(connection: Connection, question: str) -> dict[int, Any]:
    """Return a question's first column with its second; nothing where it gets no answer."""
    return {row[0]: row[1] for row in ask_if_possible(connection, question) or ()}
