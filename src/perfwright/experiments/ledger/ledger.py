"""The append-only record of runs, experiments and changes of real targets.

Every method commits before it returns: what it wrote survives a crash at the next instruction.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from perfwright.core import (
    ChangeSpec,
    Clock,
    ExperimentRecord,
    LedgerDamagedError,
    LedgerError,
    UnknownRecordError,
    is_alive,
)
from perfwright.experiments.ledger import schema
from perfwright.experiments.ledger.codec import decode, digest, encode, verify
from perfwright.experiments.ledger.records import (
    ChangeEntry,
    ChangeState,
    RunRecord,
    RunStatus,
)

OPEN_STATES = (ChangeState.INTENDED, ChangeState.APPLIED, ChangeState.UNDOING)
"""A change in one of these is taken back when perfwright starts."""


class Ledger:
    """Reads and writes one ledger.

    Args:
        url: An SQLAlchemy URL, or the path of an SQLite file; missing folders are made.
        clock: Dates the entries.

    Raises:
        LedgerDamagedError: If it exists but is damaged or of an unknown version.
        LedgerError: If it cannot be opened.
    """

    def __init__(self, url: str | Path, *, clock: Clock) -> None:
        self._clock = clock
        self._url = _parsed(url)
        self.location = self._url.render_as_string(hide_password=True)
        self._refuse_foreign()
        self._engine = self._connect()
        with self._errors_named():
            schema.metadata.create_all(self._engine)
            self._check_version()

    @property
    def folder(self) -> Path | None:
        """The folder of an SQLite ledger, where scratch copies and reports go; else None."""
        database = self._url.database
        if self._url.get_backend_name() != "sqlite" or not database:
            return None
        return Path(database).absolute().parent

    def close(self) -> None:
        """Release the connection."""
        self._engine.dispose()

    # Runs

    def begin_run(self, run: RunRecord) -> None:
        """Write a new run."""
        with self._transaction() as connection:
            connection.execute(insert(schema.runs).values(**self._run_row(run)))
            self._log(connection, f"{run.command} {run.target}: {run.status}", run=run.id)

    def save_run(self, run: RunRecord) -> None:
        """Replace what is known of a run; its experiments are kept apart and not touched."""
        with self._transaction() as connection:
            row = self._run_row(run)
            query = update(schema.runs).where(schema.runs.c.id == run.id).values(**row)
            if connection.execute(query).rowcount == 0:
                raise UnknownRecordError(kind="run", identifier=run.id)
            self._log(connection, f"saved: {run.status}", run=run.id)

    def add_experiment(self, run: str, experiment: ExperimentRecord) -> None:
        """Append an experiment to a run."""
        text = encode(experiment)
        with self._transaction() as connection:
            place = connection.execute(
                select(func.count()).where(schema.experiments.c.run == run)
            ).scalar_one()
            connection.execute(
                insert(schema.experiments).values(
                    id=experiment.id,
                    run=run,
                    place=place,
                    document=text,
                    digest=digest(experiment.id, run, text),
                )
            )
            what = f"{experiment.verdict.outcome}: {experiment.proposal.change.summary}"
            self._log(connection, what, run=run, subject=experiment.id)

    def run(self, identifier: str) -> RunRecord:
        """Read a run with its experiments; `last` names the newest.

        Raises:
            UnknownRecordError: If there is none, or the beginning fits several.
        """
        with self._transaction() as connection:
            query = select(schema.runs).order_by(schema.runs.c.started.desc())
            if identifier != "last":
                query = query.where(schema.runs.c.id.startswith(identifier, autoescape=True))
            rows = connection.execute(query.limit(2)).all()
            exact = [row for row in rows if row.id == identifier]
            if not rows or (len(rows) > 1 and identifier != "last" and not exact):
                raise UnknownRecordError(kind="run", identifier=identifier)
            return self._read_run(connection, exact[0] if exact else rows[0])

    def runs(self) -> tuple[RunRecord, ...]:
        """All runs, newest first, without their experiments."""
        with self._transaction() as connection:
            rows = connection.execute(select(schema.runs).order_by(schema.runs.c.started.desc()))
            return tuple(self._decode_run(row) for row in rows)

    def close_orphans(self) -> tuple[str, ...]:
        """Mark running runs whose process is gone as crashed; return their identifiers."""
        with self._transaction() as connection:
            query = select(schema.runs).where(schema.runs.c.status == RunStatus.RUNNING)
            orphans = [row for row in connection.execute(query) if not _owned(row)]
            for row in orphans:
                run = replace(self._decode_run(row), status=RunStatus.CRASHED)
                connection.execute(
                    update(schema.runs)
                    .where(schema.runs.c.id == run.id)
                    .values(**self._run_row(run))
                )
                self._log(connection, "its process is gone: crashed", run=run.id)
        return tuple(row.id for row in orphans)

    # Changes of real targets

    def intend(self, entry: ChangeEntry) -> None:
        """Write a change and its inverse, before it is made."""
        text = encode(entry.spec)
        with self._transaction() as connection:
            connection.execute(
                insert(schema.changes).values(
                    id=entry.id,
                    run=entry.run,
                    experiment=entry.experiment,
                    target=entry.target,
                    state=ChangeState.INTENDED,
                    updated=self._now(),
                    note=entry.note,
                    document=text,
                    digest=digest(*_change_parts(entry, ChangeState.INTENDED, note=entry.note)),
                )
            )
            what = f"intended: {entry.spec.summary}"
            self._log(connection, what, run=entry.run, subject=entry.id)

    def mark(self, entry: ChangeEntry, state: ChangeState, *, note: str = "") -> ChangeEntry:
        """Move a change to another state and return it as it stands now."""
        kept_note = note or entry.note
        values = {
            "state": state,
            "note": kept_note,
            "updated": self._now(),
            "digest": digest(*_change_parts(entry, state, note=kept_note)),
        }
        with self._transaction() as connection:
            query = update(schema.changes).where(schema.changes.c.id == entry.id).values(**values)
            if connection.execute(query).rowcount == 0:
                raise UnknownRecordError(kind="change", identifier=entry.id)
            what = f"{state}: {note}" if note else str(state)
            self._log(connection, what, run=entry.run, subject=entry.id)
        return replace(entry, state=state, note=kept_note)

    def change(self, identifier: str) -> ChangeEntry:
        """Read one change by its identifier or the beginning of it.

        Raises:
            UnknownRecordError: If there is none, or the beginning fits several.
        """
        with self._transaction() as connection:
            query = select(schema.changes).where(
                schema.changes.c.id.startswith(identifier, autoescape=True)
            )
            rows = connection.execute(query).all()
            exact = [row for row in rows if row.id == identifier]
            if len(rows) != 1 and not exact:
                raise UnknownRecordError(kind="change", identifier=identifier)
            return self._decode_change(exact[0] if exact else rows[0])

    def changes(self, *states: ChangeState) -> tuple[ChangeEntry, ...]:
        """All changes in these states (none named: all), oldest first."""
        with self._transaction() as connection:
            number = (  # of its first event; identifiers do not sort by age: r.10 stands before r.2
                select(func.min(schema.events.c.number))
                .where(schema.events.c.subject == schema.changes.c.id)
                .scalar_subquery()
            )
            query = select(schema.changes).order_by(number, schema.changes.c.id)
            if states:
                query = query.where(schema.changes.c.state.in_(states))
            return tuple(self._decode_change(row) for row in connection.execute(query))

    def events(self) -> tuple[tuple[str, str, str, str], ...]:
        """Every state change in order: date, run, subject, what."""
        with self._transaction() as connection:
            rows = connection.execute(select(schema.events).order_by(schema.events.c.number))
            return tuple((row.at, row.run, row.subject, row.what) for row in rows)

    # Below the surface

    def _connect(self) -> Engine:
        if self.folder is not None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise LedgerError(
                    f"ledger folder {self.folder} cannot be made: {error.strerror}"
                ) from error
        try:
            engine = create_engine(self._url, poolclass=NullPool)
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise LedgerError(
                f"ledger {self.location}: {error}; SQLite is built in, PostgreSQL needs psycopg"
            ) from error
        if self._url.get_backend_name() == "sqlite":
            event.listen(engine, "connect", _harden_sqlite)
            event.listen(engine, "begin", _begin_immediate)
        return engine

    def _refuse_foreign(self) -> None:
        """Never make a ledger inside a database file that holds somebody else's tables.

        Looked at read-only: opening it as a ledger would already switch it to WAL.
        """
        path = Path(self._url.database or "")
        if self.folder is None or not path.is_file() or path.stat().st_size == 0:
            return
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as reader:
            try:
                names = {name for (name,) in reader.execute(query)}
            except sqlite3.Error:
                return  # damaged or locked: opening it will say so
        if names and schema.meta.name not in names:
            raise LedgerError(
                f"{self.location} is a database but no ledger; give --ledger another place"
            )

    def _check_version(self) -> None:
        with self._engine.begin() as connection:
            query = select(schema.meta.c.value).where(schema.meta.c.key == "schema")
            found = connection.execute(query).scalar_one_or_none()
            if found is None:
                values = {"key": "schema", "value": str(schema.SCHEMA_VERSION)}
                connection.execute(insert(schema.meta).values(**values))
            elif found != str(schema.SCHEMA_VERSION):
                problem = (
                    f"has schema version {found}, this perfwright reads {schema.SCHEMA_VERSION}"
                )
                raise LedgerDamagedError(where=self.location, problem=problem)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._errors_named(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            cause = error.orig or error
            if (isinstance(cause, sqlite3.DatabaseError) and "malformed" in str(cause)) or (
                "not a database" in str(cause)
            ):
                raise LedgerDamagedError(where=self.location, problem=str(cause)) from error
            raise LedgerError(f"ledger {self.location}: {cause}") from error
        except SQLAlchemyError as error:
            raise LedgerError(f"ledger {self.location}: {error}") from error

    def _now(self) -> str:
        return self._clock.today().isoformat()

    def _log(self, connection: Connection, what: str, *, run: str, subject: str = "") -> None:
        values = {"at": self._now(), "run": run, "subject": subject or run, "what": what}
        connection.execute(insert(schema.events).values(**values))

    def _run_row(self, run: RunRecord) -> dict[str, Any]:
        row = {
            "id": run.id,
            "started": run.started.isoformat(),
            "status": run.status,
            "target": run.target,
            "document": encode(replace(run, experiments=())),
        }
        owner_pid = os.getpid() if run.status is RunStatus.RUNNING else None
        return {**row, "owner_pid": owner_pid, "digest": digest(*row.values())}

    def _read_run(self, connection: Connection, row: Any) -> RunRecord:
        query = (
            select(schema.experiments)
            .where(schema.experiments.c.run == row.id)
            .order_by(schema.experiments.c.place)
        )
        records = []
        for experiment in connection.execute(query):
            parts = (experiment.id, experiment.run, experiment.document)
            verify(experiment.digest, *parts, where=f"{self.location} {experiment.id}")
            records.append(decode(experiment.document, kind=ExperimentRecord, where=experiment.id))
        return replace(self._decode_run(row), experiments=tuple(records))

    def _decode_run(self, row: Any) -> RunRecord:
        parts = (row.id, row.started, row.status, row.target, row.document)
        verify(row.digest, *parts, where=f"{self.location} {row.id}")
        return decode(row.document, kind=RunRecord, where=row.id)

    def _decode_change(self, row: Any) -> ChangeEntry:
        parts = (row.id, row.run, row.experiment, row.target, row.state, row.note, row.document)
        verify(row.digest, *parts, where=f"{self.location} {row.id}")
        try:
            state, updated = ChangeState(row.state), datetime.fromisoformat(row.updated)
        except ValueError as error:
            raise LedgerDamagedError(
                where=f"{self.location} {row.id}", problem=str(error)
            ) from None
        return ChangeEntry(
            id=row.id,
            run=row.run,
            experiment=row.experiment,
            target=row.target,
            spec=decode(row.document, kind=ChangeSpec, where=row.id),
            state=state,
            updated=updated,
            note=row.note,
        )


def _parsed(url: str | Path) -> URL:
    """Read the place of a ledger: a URL, or else a path.

    Raises:
        LedgerError: If it is a URL that does not parse.
    """
    if not isinstance(url, str) or "://" not in url:
        return URL.create("sqlite", database=str(url))
    try:
        return make_url(url)
    except (SQLAlchemyError, ValueError) as error:
        raise LedgerError(f"ledger URL cannot be read: {error}") from error


def _change_parts(entry: ChangeEntry, state: ChangeState, *, note: str) -> tuple[str, ...]:
    """What the fingerprint of a change covers: all that recovery decides by."""
    text = encode(entry.spec)
    return (entry.id, entry.run, entry.experiment, entry.target, state, note, text)


def _harden_sqlite(connection: sqlite3.Connection, _: object) -> None:
    """Make every commit durable and every lock wait bounded; begin is left to us."""
    connection.isolation_level = None
    pragmas = ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: two writers queue instead of failing half-way."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _owned(row: Any) -> bool:
    return row.owner_pid is not None and is_alive(row.owner_pid)
