"""Finds the index that a change would make, where it stands already: under whatever name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from perfwright.core import AlreadyMadeError, ChangeSpec, UnreadableTargetError
from perfwright.experiments.changes.postgresql.catalog import (
    LiveTable,
    find_table,
    intended_tail,
    tail,
)
from perfwright.experiments.changes.postgresql.connection import connect, first_line
from perfwright.experiments.changes.postgresql.lexing import qualified
from perfwright.experiments.changes.postgresql.policy import Policy
from perfwright.experiments.changes.postgresql.sql import Action, Statement, read_statement

if TYPE_CHECKING:
    from perfwright.experiments.changes.postgresql.connection import Connection

_WHOLE = """
SELECT n.nspname, c.relname, pg_get_indexdef(c.oid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indrelid = %s AND i.indisvalid AND i.indisready AND i.indislive AND NOT i.indisunique
ORDER BY c.relname
"""


def refuse_made(url: str, spec: ChangeSpec) -> None:
    """Refuse a change when an index that it would make is there, under its own name or another.

    Raises:
        AlreadyMadeError: With the name of that index.
        UnreadableTargetError: If the database cannot be read.
    """
    import psycopg

    statements = [statement for text in spec.apply if (statement := read_statement(text))]
    try:
        with closing(connect(url, policy=Policy())) as connection:
            refuse_twins(connection, statements, own_name=False)
    except psycopg.Error as error:
        raise UnreadableTargetError(
            target=url, problem=first_line(error), remedy="check the role's rights"
        ) from error


def refuse_twins(
    connection: Connection, statements: Sequence[Statement], *, own_name: bool = True
) -> None:
    """Refuse to make an index beside one of the same definition, but for one that goes with it.

    Args:
        connection: May make temporary tables; nothing is refused where it may not.
        statements: A whole change.
        own_name: Whether an index of the very name is what the change made itself.

    Raises:
        AlreadyMadeError: With the name of the one that is there.
    """
    dropped = {(s.schema, s.name) for s in statements if s.action is Action.DROP_INDEX}
    for statement in (s for s in statements if s.action is Action.CREATE_INDEX):
        table = find_table(connection, statement.table_relation)
        if table is None:
            continue
        wanted = statement.placed(schema=table.schema, table=table.name)
        for schema, name in _twins(connection, wanted, table=table):
            if {(schema, name), (None, name)} & dropped or (own_name and name == wanted.name):
                continue
            raise AlreadyMadeError(
                change=wanted.sql,
                problem=f"{qualified(schema, name)} is the same index, so there is nothing to make",
            )


def _twins(
    connection: Connection, wanted: Statement, *, table: LiveTable
) -> Iterator[tuple[str, str]]:
    """Yield schema and name of each whole index that holds the same in the same order."""
    intended = intended_tail(connection, wanted)
    with connection.transaction():
        connection.execute("SELECT set_config('search_path', '', true)")
        rows = connection.execute(_WHOLE, (table.oid,)).fetchall()
    yield from ((schema, name) for schema, name, text in rows if tail(text) == intended)
