"""Statistics objects, ANALYZE and settings of a live server, each looked at before it is made."""

from __future__ import annotations

from perfwright.core import ChangeError, ForbiddenChangeError
from perfwright.experiments.changes.postgresql.catalog import (
    LiveStatistics,
    NotOursError,
    find_statistics,
    find_table,
    held,
    intended_statistics,
    present_setting,
    subject_exists,
)
from perfwright.experiments.changes.postgresql.guards import refuse_stranger
from perfwright.experiments.changes.postgresql.session import Session
from perfwright.experiments.changes.postgresql.settings import Setting
from perfwright.experiments.changes.postgresql.sql import Action, Statement


def make_statistics(session: Session, statement: Statement) -> None:
    """Make an extended statistics object, unless it is there already.

    Raises:
        ChangeError: If another one has its name, or the role may not make it.
    """
    table = find_table(session.work, statement.table_relation)
    if table is None:
        raise ChangeError(
            change=statement.sql, problem=f"there is no table {statement.table_relation}"
        )
    existing = find_statistics(session.work, statement)
    if existing is not None:
        _refuse_another(session, existing, wanted=statement)
        return
    refuse_stranger(session, table, change=statement.sql)
    session.retry(
        lambda: session.run(
            f"CREATE STATISTICS IF NOT EXISTS {statement.relation} {statement.body} "
            f"FROM {table.relation}"
        ),
        what=f"making {statement.name}",
    )


def drop_statistics(session: Session, statement: Statement, *, made_by: Statement | None) -> None:
    """Drop an extended statistics object, unless it is gone already.

    Raises:
        ChangeError: If another one has its name, or the role may not drop it.
    """
    existing = find_statistics(session.work, statement)
    if existing is None:
        return
    if made_by is not None:
        _refuse_another(session, existing, wanted=made_by)
    refuse_stranger(session, existing.table, change=statement.sql)
    session.retry(
        lambda: session.run(f"DROP STATISTICS IF EXISTS {existing.relation}"),
        what=f"dropping {existing.name}",
    )


def _refuse_another(session: Session, existing: LiveStatistics, *, wanted: Statement) -> None:
    intended = intended_statistics(session.work, wanted)
    if intended is None:
        refuse_stranger(session, existing.table, change=wanted.sql)
    table = find_table(session.work, wanted.table_relation)
    same_table = table is not None and table.oid == existing.table.oid
    if not same_table or (intended or wanted.body) != held(existing.definition):
        raise NotOursError(
            change=wanted.sql,
            problem=f"statistics {existing.relation} exist already and are others: "
            f"{existing.definition}",
        )


def analyze(session: Session, statement: Statement) -> None:
    """Gather the planner's statistics.

    Raises:
        ChangeError: If the role may not: the server would only warn.
    """
    if statement.table:
        table = find_table(session.work, statement.table_relation)
        if table is None:
            problem = f"there is no table {statement.table_relation}"
            raise ChangeError(change=statement.sql, problem=problem)
        if not table.may_analyze:
            raise ChangeError(
                change=statement.sql,
                problem=f"only its owner {table.owner} may analyse {table.relation}",
            )
    session.retry(lambda: session.run_watched(statement.sql), what=statement.sql)


def assign(session: Session, statement: Statement, *, other: list[Statement]) -> None:
    """Set or reset a setting of a role or database, unless it is so already.

    Raises:
        ChangeError: If somebody has set it to something else meanwhile.
        ForbiddenChangeError: If it belongs to another database.
    """
    setting = statement.setting
    if setting is None:
        return
    (here,) = session.work.execute("SELECT current_database()").fetchone() or ("",)
    if setting.database not in (None, here):
        raise ForbiddenChangeError(
            change=statement.sql, problem=f"the target is {here}, not {setting.database}"
        )
    present = present_setting(session.work, setting)
    former = _of_other(setting, other)
    if present == setting.value or not subject_exists(session.work, setting):
        return
    if former is not None and present != former.value:
        raise NotOursError(
            change=statement.sql, problem=f"{setting.name} was set to {present} meanwhile"
        )
    session.retry(lambda: session.run(setting.sql), what=setting.sql)


def _of_other(setting: Setting, other: list[Statement]) -> Setting | None:
    """The assignment of the other direction to the same thing."""
    subject = (setting.name, setting.role, setting.database)
    found = (
        each.setting
        for each in other
        if each.action is Action.SET
        and each.setting is not None
        and (each.setting.name, each.setting.role, each.setting.database) == subject
    )
    return next(found, None)


def restore(session: Session, statement: Statement) -> None:
    """Run what only an inverse needs: it may be run any number of times."""
    session.retry(lambda: session.run(statement.sql), what=statement.sql)
