"""The databases of a run: one that holds the copy, and others that are made from it at will."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from perfwright.agents.database.naming import literal, quote
from perfwright.agents.database.postgresql.probes.connection import (
    Connection,
    first_line,
    open_database,
)
from perfwright.core import ChangeError, ChangeSpec
from perfwright.core.target import join_url

BASE = "base"
"""As the target is, with everything that was kept; nothing is ever measured in it."""
START = "start"
"""As the target was at first."""
FILE_COPY_SINCE = 15
_CONCURRENTLY = re.compile(r"\s+CONCURRENTLY\b", re.IGNORECASE)


def in_transaction(statement: str) -> str:
    """A statement as it can run in a transaction."""
    return _CONCURRENTLY.sub("", statement, count=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """Databases on one server, as plain data.

    Equal ones are made by CREATE DATABASE ... TEMPLATE, which copies files: both arms are then
    the same down to the place of each row.
    """

    server_url: str
    """A database of the server that is not one of these."""
    prefix: str
    major: int

    def url(self, name: str) -> str:
        """URL of one database."""
        parts = urlsplit(self.server_url)
        return join_url(parts._replace(path=f"/{self.prefix}{name}"))

    def open(self, name: str, *, settings: tuple[str, ...] = ()) -> Connection:
        """Connect to one database, and run statements that set up the session."""
        connection = open_database(self.url(name))
        for statement in settings:
            connection.execute(statement)
        return connection

    def create(self, name: str, *, template: str | None = None, locale: str = "") -> None:
        """Make a database anew, empty or equal to another one, which nobody may be using.

        Args:
            name: Which.
            template: Whose copy it becomes; None: empty.
            locale: Options of CREATE DATABASE for an empty one.
        """
        source = "template0" if template is None else f"{self.prefix}{template}"
        strategy = " STRATEGY file_copy" if self.major >= FILE_COPY_SINCE and template else ""
        with open_database(self.server_url) as admin:
            self._end_sessions(admin, source)
            self._drop(admin, name)
            admin.execute(
                f"CREATE DATABASE {quote(self.prefix + name)} TEMPLATE {quote(source)}"
                f"{strategy} {locale}"
            )

    def make(self, name: str, changes: tuple[ChangeSpec, ...]) -> None:
        """Make changes in one database, in one transaction.

        Raises:
            ChangeError: If the server refuses one; none is made then.
        """
        import psycopg

        with self.open(name) as connection:
            for change in changes:
                try:
                    with connection.transaction():
                        for statement in change.apply:
                            connection.execute(in_transaction(statement))
                except psycopg.Error as error:
                    raise ChangeError(change=change.summary, problem=first_line(error)) from error

    def exists(self, name: str) -> bool:
        """Whether the database is there."""
        with open_database(self.server_url) as admin:
            query = f"SELECT 1 FROM pg_database WHERE datname = {literal(self.prefix + name)}"
            return admin.execute(query).fetchone() is not None

    def drop(self, *names: str) -> None:
        """Drop databases; idempotent."""
        with open_database(self.server_url) as admin:
            for name in names:
                self._drop(admin, name)

    def drop_all(self) -> None:
        """Drop every database of this run."""
        with open_database(self.server_url) as admin:
            pattern = literal(self.prefix.replace("_", "\\_") + "%")
            found = admin.execute(
                f"SELECT datname FROM pg_database WHERE datname LIKE {pattern}"
            ).fetchall()
            for (name,) in found:
                self._drop(admin, str(name).removeprefix(self.prefix))

    def _drop(self, admin: Connection, name: str) -> None:
        admin.execute(f"DROP DATABASE IF EXISTS {quote(self.prefix + name)} WITH (FORCE)")

    @staticmethod
    def _end_sessions(admin: Connection, database: str) -> None:
        """A database is copied only when nobody is connected to it; ours may just be leaving."""
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = {literal(database)} AND usename = current_user"
            " AND application_name = 'perfwright'"
        )
