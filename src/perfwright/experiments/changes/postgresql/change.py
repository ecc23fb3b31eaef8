"""Changes of a PostgreSQL database: indexes, statistics and harmless settings, one at a time.

CONCURRENTLY runs in no transaction, so a change is several steps, each of which looks first
at what is there. That makes both directions idempotent, and what was begun can be ended or taken
back by another process, after a crash of this one or of the server.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from perfwright.core import (
    BusyTargetError,
    ChangeError,
    ChangeSpec,
    ForbiddenChangeError,
    RevertError,
    TargetError,
)
from perfwright.experiments.changes.postgresql.catalog import NotOursError
from perfwright.experiments.changes.postgresql.connection import first_line
from perfwright.experiments.changes.postgresql.guards import refuse_standby
from perfwright.experiments.changes.postgresql.indexes import (
    attach_index,
    drop_index,
    make_index,
    refuse_frame,
)
from perfwright.experiments.changes.postgresql.objects import (
    analyze,
    assign,
    drop_statistics,
    make_statistics,
    restore,
)
from perfwright.experiments.changes.postgresql.session import (
    Session,
    Surroundings,
    open_session,
)
from perfwright.experiments.changes.postgresql.sql import Action, Statement, read_statement
from perfwright.experiments.changes.postgresql.twins import refuse_twins

POSTGRESQL_DDL = "postgresql-ddl"
POSTGRESQL_SETTING = "postgresql-setting"
_SESSIONS = 3
"""How often a server may go away while a change is taken back."""


@dataclass(slots=True)
class PostgresChange:
    """A change of one database.

    An index that has the right name but is another one is neither taken for ours nor dropped.
    """

    url: str
    """Without its password, which comes from the environment."""
    spec: ChangeSpec
    around: Surroundings = field(default_factory=Surroundings)

    def apply(self) -> None:
        """Make the change; take it back where a step fails.

        Raises:
            AlreadyMadeError: If an index that it would make is there under another name.
            ForbiddenChangeError: If a statement is of a kind that is never run, or an index to
                drop enforces or supports something.
            BusyTargetError: If locks, transactions, lagging replicas or another perfwright are in
                the way; the target is as it was.
            ChangeError: If the server refuses; the target is as it was.
            RevertError: If what was begun could not be taken back.
        """
        import psycopg

        statements, inverse = self._read(self.spec.apply), self._read(self.spec.revert)
        self._refuse_forbidden(statements)
        session: Session | None = None
        try:
            with open_session(self.url, around=self.around) as session:
                refuse_standby(session, change=self.spec.summary)
                refuse_twins(session.work, statements)
                for statement in statements:
                    _perform(session, statement, other=inverse, reverting=False)
                for statement in statements:
                    if statement.only:
                        refuse_frame(session, statement)
        except (ChangeError, TargetError, psycopg.Error) as error:
            if session is not None and session.begun:
                self._after_failure(error)
            raise self._named(error, session) from error

    def revert(self) -> None:
        """Take the change back.

        Raises:
            BusyTargetError: If another perfwright is changing the database.
            RevertError: If the server refuses; the statements to run by hand are in the message.
        """
        self._take_back(lenient=False)

    def describe(self) -> str:
        """One line for people."""
        return self.spec.summary

    def _take_back(self, *, lenient: bool) -> None:
        """Run the inverse, if need be over several sessions.

        Args:
            lenient: Pass over what is not ours: a change that failed half-way did not make it.
        """
        import psycopg

        statements, made = self._read(self.spec.revert), self._read(self.spec.apply)
        begun = False
        for number in range(_SESSIONS):
            session: Session | None = None
            try:
                returning = begun or lenient
                with open_session(self.url, around=self.around, returning=returning) as session:
                    session.work.execute("SET default_tablespace = ''")
                    for statement in statements:
                        with suppress(*([NotOursError] if lenient else [])):
                            _perform(session, statement, other=made, reverting=True)
                    return
            except (ChangeError, TargetError, psycopg.Error) as error:
                begun = begun or (session is not None and session.begun)
                if session is None and not begun and isinstance(error, TargetError):
                    raise  # another perfwright is at work, or the server does not answer
                if session is None or not session.is_lost or number + 1 == _SESSIONS:
                    raise self._irreversible(error, session, begun=begun) from error

    def _after_failure(self, error: Exception) -> None:
        """Bring the target back to what it was; the error is shown where that fails."""
        self.around.say(f"{first_line(error)}; taking back what was begun")
        try:
            self._take_back(lenient=True)
        except RevertError:
            raise
        except (ChangeError, TargetError) as second:
            raise self._irreversible(second, None, begun=True) from error

    def _irreversible(
        self, error: Exception, session: Session | None, *, begun: bool
    ) -> RevertError:
        problem, inverse = _problem(error, session), "; ".join(self.spec.revert) or "nothing"
        if isinstance(error, NotOursError):
            problem, inverse = f"{problem}; it is left alone", ""
        return RevertError(
            change=self.spec.summary, problem=problem, inverse=inverse, partial=begun
        )

    def _named(self, error: Exception, session: Session | None) -> Exception:
        """The error that the caller is promised."""
        if isinstance(error, ChangeError | BusyTargetError):
            return error
        return ChangeError(change=self.spec.summary, problem=_problem(error, session))

    def _read(self, texts: tuple[str, ...]) -> list[Statement]:
        found = []
        for text in texts:
            statement = read_statement(text)
            if statement is None:
                raise ForbiddenChangeError(
                    change=self.spec.summary,
                    problem="only indexes, statistics and harmless settings may be changed, "
                    f"not: {text}",
                )
            found.append(statement)
        return found

    def _refuse_forbidden(self, statements: list[Statement]) -> None:
        for statement in statements:
            if statement.action is Action.RESTORE:
                raise ForbiddenChangeError(
                    change=self.spec.summary, problem=f"belongs into an inverse: {statement.sql}"
                )
            if statement.action is Action.CREATE_INDEX and not statement.name:
                raise ForbiddenChangeError(
                    change=self.spec.summary,
                    problem=f"an index without a name could not be taken back: {statement.sql}",
                )


def _problem(error: Exception, session: Session | None) -> str:
    """What is wrong, and what to do where that is known."""
    import psycopg

    if isinstance(error, ChangeError):
        return error.problem
    if isinstance(error, TargetError):
        return f"{error.problem}; {error.remedy}"
    if isinstance(error, psycopg.Error) and session is not None:
        if session.is_lost:
            return f"the connection was lost: {first_line(error)}"
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return f"{first_line(error)} for role {session.work.info.user}"
    return first_line(error)


def _perform(
    session: Session, statement: Statement, *, other: list[Statement], reverting: bool
) -> None:
    """Carry out one statement, unless its effect is there already.

    Args:
        session: Holds the lock.
        statement: What to do.
        other: The statements of the other direction: they say what a thing to drop must be.
        reverting: Whether a change is being taken back: then what it made is ours.
    """
    match statement.action:
        case Action.CREATE_INDEX:
            make_index(session, statement, adopts=reverting)
        case Action.DROP_INDEX:
            made_by = _creation(statement, other, action=Action.CREATE_INDEX)
            drop_index(session, statement, made_by=made_by, protect=not reverting)
        case Action.ATTACH_INDEX:
            attach_index(session, statement)
        case Action.CREATE_STATISTICS:
            make_statistics(session, statement)
        case Action.DROP_STATISTICS:
            made_by = _creation(statement, other, action=Action.CREATE_STATISTICS)
            drop_statistics(session, statement, made_by=made_by)
        case Action.ANALYZE:
            analyze(session, statement)
        case Action.SET:
            assign(session, statement, other=other)
        case Action.RESTORE:
            restore(session, statement)


def _creation(drop: Statement, other: list[Statement], *, action: Action) -> Statement | None:
    """The statement of the other direction that makes what this one drops."""
    named = (
        each
        for each in other
        if each.action is action
        and each.name == drop.name
        and (drop.schema is None or each.schema in (None, drop.schema))
    )
    return next(named, None)
