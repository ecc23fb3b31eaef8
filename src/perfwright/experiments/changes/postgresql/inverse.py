"""Plans a change of a PostgreSQL database: what to run, and what takes it back as it is now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perfwright.core import ChangeSpec, ForbiddenChangeError, UnreadableTargetError
from perfwright.experiments.changes.postgresql.catalog import (
    LiveIndex,
    LiveStatistics,
    LiveTable,
    attached_indexes,
    find_index,
    find_statistics,
    find_table,
    name_is_taken,
    partitions,
    present_setting,
    subject_exists,
    with_tablespace,
)
from perfwright.experiments.changes.postgresql.change import POSTGRESQL_DDL, POSTGRESQL_SETTING
from perfwright.experiments.changes.postgresql.connection import connect, first_line
from perfwright.experiments.changes.postgresql.indexes import PREFIX
from perfwright.experiments.changes.postgresql.lexing import (
    qualified,
    quote_name,
    quote_text,
    split_sql,
)
from perfwright.experiments.changes.postgresql.policy import Policy
from perfwright.experiments.changes.postgresql.protected import refuse_protected
from perfwright.experiments.changes.postgresql.sql import Action, Statement, read_statement

if TYPE_CHECKING:
    from perfwright.experiments.changes.postgresql.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """One statement of a script, forwards and back."""

    subject: str
    apply: tuple[str, ...]
    revert: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    """What of the way back must come first: an attached part cannot be dropped alone."""


def spec_from_postgresql_sql(url: str, script: str) -> ChangeSpec:
    """Build a reversible change from a script, by looking at the database that it would change.

    Names are written out with their schema, indexes are made and dropped CONCURRENTLY, and the
    index of a partitioned table is made part by part. PostgreSQL cannot restore the statistics
    that ANALYZE replaced, so that has no inverse.

    Raises:
        ForbiddenChangeError: If it is empty or holds a statement of another kind, something that
            exists already, or something to drop that does not exist or must not be dropped.
        UnreadableTargetError: If the database cannot be read.
    """
    import psycopg

    texts = split_sql(script)
    if not texts:
        raise ForbiddenChangeError(change="(empty)", problem="there is no statement in it")
    statements = [_read(text) for text in texts]
    try:
        with closing(connect(url, policy=Policy())) as connection:
            connection.execute("SET default_transaction_read_only = on")
            plans = [_planned(connection, statement) for statement in statements]
    except psycopg.Error as error:
        raise UnreadableTargetError(
            target=url, problem=first_line(error), remedy="check the role's rights"
        ) from error
    only_settings = all(statement.action is Action.SET for statement in statements)
    frames = [text for plan in plans for text in plan.frames]
    backwards = [text for plan in reversed(plans) for text in plan.revert]
    return ChangeSpec(
        kind=POSTGRESQL_SETTING if only_settings else POSTGRESQL_DDL,
        subject=", ".join(dict.fromkeys(plan.subject for plan in plans if plan.subject)),
        apply=tuple(text for plan in plans for text in plan.apply),
        revert=(*frames, *backwards),
        summary="; ".join(" ".join(text.split()) for text in texts),
    )


def _read(text: str) -> Statement:
    statement = read_statement(text)
    if statement is None or statement.action is Action.RESTORE:
        raise ForbiddenChangeError(
            change=" ".join(text.split()),
            problem="only CREATE and DROP of INDEX and STATISTICS, ANALYZE, and ALTER ROLE or "
            "DATABASE with a harmless setting can be tried and taken back",
        )
    return statement


def _planned(connection: Connection, statement: Statement) -> _Plan:
    match statement.action:
        case Action.CREATE_INDEX:
            return _making(connection, statement)
        case Action.DROP_INDEX:
            return _dropping(connection, statement)
        case Action.CREATE_STATISTICS:
            return _making_statistics(connection, statement)
        case Action.DROP_STATISTICS:
            return _dropping_statistics(connection, statement)
        case Action.SET:
            return _assigning(connection, statement)
        case Action.ANALYZE if statement.table:
            _table(connection, statement)
            return _Plan(subject="statistics", apply=(statement.sql,))
        case _:
            return _Plan(subject="", apply=(statement.sql,))


def _table(connection: Connection, statement: Statement) -> LiveTable:
    table = find_table(connection, statement.table_relation)
    if table is None:
        raise ForbiddenChangeError(
            change=statement.sql, problem=f"there is no table {statement.table_relation}"
        )
    return table


# --- Indexes -------------------------------------------------------------------------------------


def _making(connection: Connection, statement: Statement) -> _Plan:
    table = _table(connection, statement)
    if table.kind not in ("r", "m", "p"):
        raise ForbiddenChangeError(
            change=statement.sql, problem=f"{table.name} is no table of this server"
        )
    named = statement if statement.name else replace(statement, name=_given_name(statement))
    wanted = named.placed(schema=table.schema, table=table.name)
    _refuse_existing(connection, wanted)
    if table.kind != "p":
        drop = f"DROP INDEX CONCURRENTLY IF EXISTS {wanted.relation}"
        return _Plan(subject=wanted.name, apply=(wanted.creation(),), revert=(drop,))
    frame = replace(wanted, only=True)
    drop = f"DROP INDEX IF EXISTS {wanted.relation}"
    if statement.only:  # planned part by part already
        return _Plan(subject=wanted.name, apply=(frame.creation(),), frames=(drop,))
    parts = list(_parts(connection, frame, table=table, root=wanted.name))
    return _Plan(
        subject=wanted.name,
        apply=(frame.creation(), *(text for made, _ in parts for text in made)),
        revert=tuple(text for _, text in parts),
        frames=(drop,),
    )


def _parts(
    connection: Connection, frame: Statement, *, table: LiveTable, root: str
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield, for each partition below, what makes and attaches its index, and what drops it."""
    for partition in partitions(connection, table):
        name = _part_name(root, partition)
        part = replace(frame, name=name, only=partition.kind == "p").placed(
            schema=partition.schema, table=partition.name
        )
        _refuse_existing(connection, part)
        attach = f"ALTER INDEX {frame.relation} ATTACH PARTITION {part.relation}"
        manner = "" if part.only else "CONCURRENTLY "
        yield (part.creation(), attach), f"DROP INDEX {manner}IF EXISTS {part.relation}"
        if part.only:
            yield from _parts(connection, part, table=partition, root=root)


def _part_name(root: str, partition: LiveTable) -> str:
    """A name that is the same for the same index and partition, of at most 63 bytes."""
    digest = hashlib.sha256(f"{root} {partition.relation}".encode()).hexdigest()[:8]
    return f"{root.encode()[:54].decode(errors='ignore')}_{digest}"


def _given_name(statement: Statement) -> str:
    """A name for an index that the user gave none."""
    digest = hashlib.sha256(f"{statement.table} {statement.body}".encode()).hexdigest()[:8]
    return f"{PREFIX}{statement.table.encode()[:50].decode(errors='ignore')}_{digest}"


def _refuse_existing(connection: Connection, wanted: Statement) -> None:
    """Refuse a name that is taken, but for what a crash of ours left, which is made anew."""
    existing = find_index(connection, wanted.relation)
    left = existing is not None and not existing.is_whole and wanted.name.startswith(PREFIX)
    if not left and name_is_taken(connection, wanted.relation):
        raise ForbiddenChangeError(change=wanted.sql, problem=f"{wanted.name} exists already")


def _dropping(connection: Connection, statement: Statement) -> _Plan:
    index = find_index(connection, statement.relation)
    if index is None:
        raise ForbiddenChangeError(
            change=statement.sql, problem=f"there is no index {statement.name}"
        )
    refuse_protected(connection, index, change=statement.sql)
    manner = "" if index.partitioned else "CONCURRENTLY "
    return _Plan(
        subject=index.name,
        apply=(f"DROP INDEX {manner}IF EXISTS {index.relation}",),
        revert=tuple(_recreation(connection, index)),
    )


def _recreation(connection: Connection, index: LiveIndex) -> Iterator[str]:
    """Yield what makes an index as it is now: definition, place, remarks, parts."""
    definition = read_statement(with_tablespace(index.definition, index.tablespace))
    if definition is None:
        raise ForbiddenChangeError(
            change=f"drop {index.name}", problem=f"could not be made anew: {index.definition}"
        )
    yield definition.creation()
    if index.comment is not None:
        yield f"COMMENT ON INDEX {index.relation} IS {quote_text(index.comment)}"
    for column, target in index.targets:
        yield f"ALTER INDEX {index.relation} ALTER COLUMN {column} SET STATISTICS {target}"
    if index.clustered:
        yield f"ALTER TABLE {index.table.relation} CLUSTER ON {quote_name(index.name)}"
    for part in attached_indexes(connection, index):
        yield from _recreation(connection, part)
        yield f"ALTER INDEX {index.relation} ATTACH PARTITION {part.relation}"


# --- Statistics objects and settings -------------------------------------------------------------


def _making_statistics(connection: Connection, statement: Statement) -> _Plan:
    table = _table(connection, statement)
    if find_statistics(connection, statement) is not None:
        raise ForbiddenChangeError(change=statement.sql, problem=f"{statement.name} exists already")
    row = connection.execute("SELECT current_schema()").fetchone()
    schema = statement.schema or (row and row[0]) or table.schema
    made = qualified(schema, statement.name)
    create = f"CREATE STATISTICS IF NOT EXISTS {made} {statement.body} FROM {table.relation}"
    return _Plan(
        subject=statement.name, apply=(create,), revert=(f"DROP STATISTICS IF EXISTS {made}",)
    )


def _dropping_statistics(connection: Connection, statement: Statement) -> _Plan:
    existing = find_statistics(connection, statement)
    if existing is None:
        raise ForbiddenChangeError(
            change=statement.sql, problem=f"there are no statistics {statement.name}"
        )
    return _Plan(
        subject=existing.name,
        apply=(f"DROP STATISTICS IF EXISTS {existing.relation}",),
        revert=tuple(_statistics_again(existing)),
    )


def _statistics_again(existing: LiveStatistics) -> Iterator[str]:
    yield existing.definition.replace("CREATE STATISTICS", "CREATE STATISTICS IF NOT EXISTS", 1)
    if existing.target >= 0:
        yield f"ALTER STATISTICS {existing.relation} SET STATISTICS {existing.target}"
    if existing.comment is not None:
        yield f"COMMENT ON STATISTICS {existing.relation} IS {quote_text(existing.comment)}"
    yield f"ANALYZE {existing.table.relation}"  # they are empty until then


def _assigning(connection: Connection, statement: Statement) -> _Plan:
    setting = statement.setting
    assert setting is not None  # noqa: S101 - SET statements are read with one
    if not subject_exists(connection, setting):
        raise ForbiddenChangeError(
            change=statement.sql, problem="there is no such role or database"
        )
    row = connection.execute("SELECT current_database()").fetchone()
    if setting.database not in (None, row and row[0]):
        raise ForbiddenChangeError(change=statement.sql, problem=f"the target is {row and row[0]}")
    former = present_setting(connection, setting)
    if former == setting.value:
        raise ForbiddenChangeError(change=statement.sql, problem="it is so already")
    back = replace(setting, value=former)
    return _Plan(subject=setting.name, apply=(setting.sql,), revert=(back.sql,))
