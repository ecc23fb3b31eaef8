"""Makes and drops one index of a live server; nothing half-made is left behind."""

from __future__ import annotations

from perfwright.core import ChangeError, ForbiddenChangeError
from perfwright.experiments.changes.postgresql.catalog import (
    LiveIndex,
    LiveTable,
    NotOursError,
    attached_indexes,
    find_index,
    find_table,
    intended_tail,
    name_is_taken,
    partitions,
    tail,
)
from perfwright.experiments.changes.postgresql.guards import (
    await_quiet,
    refuse_full_disk,
    refuse_lagging,
    refuse_stranger,
)
from perfwright.experiments.changes.postgresql.lexing import qualified
from perfwright.experiments.changes.postgresql.protected import refuse_protected
from perfwright.experiments.changes.postgresql.session import Session, YieldedError
from perfwright.experiments.changes.postgresql.sql import Statement

PREFIX = "pw_"
"""Names that perfwright gives begin so: a leftover with such a name and our definition is ours."""


def make_index(session: Session, statement: Statement, *, adopts: bool) -> None:
    """Make an index, unless it is there already.

    Args:
        session: Holds the lock.
        statement: CREATE INDEX.
        adopts: Whether a broken index of this name and definition is ours whatever its name is.

    Raises:
        BusyTargetError: If locks or transactions were in the way each time.
        ChangeError: If it cannot be made, or another index has its name.
        ForbiddenChangeError: If the table is of a kind that is never indexed in this way.
        psycopg.Error: What else the server says.
    """
    table = find_table(session.work, statement.table_relation)
    if table is None:
        raise ChangeError(
            change=statement.sql, problem=f"there is no table {statement.table_relation}"
        )
    wanted = statement.placed(schema=table.schema, table=table.name)
    _refuse_kind(wanted, table)
    existing = find_index(session.work, wanted.relation)
    if existing is None and name_is_taken(session.work, wanted.relation):
        raise ChangeError(change=wanted.sql, problem=f"{wanted.name} exists and is no index")
    if existing is not None:
        _refuse_another(session, existing, wanted=wanted)
        if existing.is_whole or existing.partitioned:
            return
        if not adopts and not wanted.name.startswith(PREFIX):
            raise ChangeError(
                change=wanted.sql, problem=f"{wanted.name} exists, is invalid, and is not ours"
            )
        remove_index(session, existing)
    refuse_stranger(session, table, change=wanted.sql)
    if wanted.only:
        session.retry(
            lambda: _run_briefly(session, wanted.creation(), table=table),
            what=f"making {wanted.name}",
        )
        return
    refuse_lagging(session)
    refuse_full_disk(session, wanted, table=table, change=wanted.sql)
    _build(session, wanted, table=table)


def _run_briefly(session: Session, sql: str, *, table: LiveTable) -> None:
    """Run what locks writers out, in a quiet moment, and never make them queue for long."""
    await_quiet(session, table, builds=False)
    session.run_briefly(sql)


def _refuse_kind(wanted: Statement, table: LiveTable) -> None:
    if table.kind not in ("r", "m", "p"):
        raise ChangeError(change=wanted.sql, problem=f"{table.name} is no table of this server")
    if table.kind == "p" and not wanted.only:
        raise ChangeError(
            change=wanted.sql,
            problem=f"{table.name} is partitioned: its index is made part by part",
        )
    if table.kind != "p" and wanted.only:
        raise ForbiddenChangeError(
            change=wanted.sql,
            problem="ON ONLY is for partitioned tables alone: it locks writers",
        )


def _refuse_another(session: Session, existing: LiveIndex, *, wanted: Statement) -> None:
    """Refuse an index that has the right name and is another one.

    Raises:
        ChangeError: If the role has not the rights that it takes to compare them.
        NotOursError: Also where the definitions cannot be compared.
    """
    same_table = (existing.table.schema, existing.table.name) == (
        wanted.table_schema,
        wanted.table,
    )
    intended = intended_tail(session.work, wanted) if same_table else None
    if same_table and intended is None:
        refuse_stranger(session, existing.table, change=wanted.sql)
    if not same_table or (intended or wanted.body) != tail(existing.definition):
        raise NotOursError(
            change=wanted.sql,
            problem=f"an index {existing.relation} exists already and is another one: "
            f"{existing.definition}",
        )


def _build(session: Session, wanted: Statement, *, table: LiveTable) -> None:
    import psycopg

    def attempt() -> None:
        await_quiet(session, table, builds=True)
        try:
            session.run_watched(wanted.creation())
        except (psycopg.Error, YieldedError):
            if not session.is_lost:
                clean_up(session, wanted)
            raise

    session.retry(attempt, what=f"building {wanted.name}")
    built = find_index(session.work, wanted.relation)
    if built is None or not built.is_whole:
        clean_up(session, wanted)
        raise ChangeError(change=wanted.sql, problem="the server left the index invalid")


def clean_up(session: Session, wanted: Statement) -> None:
    """Drop what a broken build left; it did not exist before the build.

    Raises:
        BusyTargetError: If a transaction outlasts all patience.
    """
    left = find_index(session.work, wanted.relation)
    if left is not None:
        remove_index(session, left)


def drop_index(
    session: Session, statement: Statement, *, made_by: Statement | None, protect: bool
) -> None:
    """Drop an index, unless it is gone already.

    Args:
        session: Holds the lock.
        statement: DROP INDEX.
        made_by: The CREATE INDEX of the other direction: it says what the index must be.
        protect: Whether to refuse what enforces or supports something.

    Raises:
        BusyTargetError: If locks or transactions were in the way each time.
        ChangeError: If another index has the name, or the role may not drop it.
        ForbiddenChangeError: If it is protected.
    """
    relation = statement.relation
    if statement.schema is None and made_by is not None:
        table = find_table(session.work, made_by.table_relation)
        relation = qualified(table.schema, statement.name) if table else relation
    existing = find_index(session.work, relation)
    if existing is None:
        return
    if made_by is not None:
        table = find_table(session.work, made_by.table_relation)
        if table is not None:
            placed = made_by.placed(schema=table.schema, table=table.name)
            _refuse_another(session, existing, wanted=placed)
    if protect:
        refuse_protected(session.work, existing, change=statement.sql)
    refuse_stranger(session, existing.table, change=statement.sql)
    remove_index(session, existing)


def remove_index(session: Session, index: LiveIndex) -> None:
    """Drop an index in the way that locks nobody out; a partitioned one under `lock_timeout`."""
    policy = session.policy

    def attempt() -> None:
        current = find_index(session.work, index.relation)
        if current is None:
            return
        # What is invalid already costs writes and helps nobody: worth more patience.
        patience_s = policy.patience_s if current.is_whole else policy.clean_up_patience_s
        await_quiet(session, current.table, builds=False, patience_s=patience_s)
        if current.partitioned:
            session.run_briefly(f"DROP INDEX IF EXISTS {current.relation}")
        else:
            session.run_watched(f"DROP INDEX CONCURRENTLY IF EXISTS {current.relation}")

    session.retry(attempt, what=f"dropping {index.name}")


def attach_index(session: Session, statement: Statement) -> None:
    """Attach the index of a partition to that of the whole, unless it is so already."""
    whole = find_index(session.work, statement.relation)
    part = find_index(session.work, statement.table_relation)
    if whole is None or part is None:
        missing = statement.relation if whole is None else statement.table_relation
        raise ChangeError(change=statement.sql, problem=f"there is no index {missing}")
    if any(each.oid == part.oid for each in attached_indexes(session.work, whole)):
        return
    session.retry(
        lambda: _run_briefly(
            session,
            f"ALTER INDEX {whole.relation} ATTACH PARTITION {part.relation}",
            table=part.table,
        ),
        what=f"attaching {part.name}",
    )


def refuse_frame(session: Session, statement: Statement) -> None:
    """Refuse a partitioned index that not every partition has a part of.

    Raises:
        ChangeError: With the partitions that came since the change was planned.
    """
    table = find_table(session.work, statement.table_relation)
    if table is None:
        return
    wanted = statement.placed(schema=table.schema, table=table.name)
    whole = find_index(session.work, wanted.relation)
    if whole is None or whole.valid:
        return
    have = {part.table.oid for part in attached_indexes(session.work, whole) if part.valid}
    lacking = [part.name for part in partitions(session.work, table) if part.oid not in have]
    raise ChangeError(
        change=wanted.sql, problem=f"partitions without the index: {', '.join(lacking)}; plan anew"
    )
