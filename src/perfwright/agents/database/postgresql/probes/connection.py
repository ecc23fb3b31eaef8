"""Connections to PostgreSQL: the target is opened read-only, copies as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from perfwright.core import (
    ConfigError,
    Target,
    TargetError,
    UnreadableTargetError,
    without_password,
)
from perfwright.experiments.changes.postgresql.connection import (
    CONNECT_TIMEOUT_S,
    ENDLESS,
    MASKED,
    connection_remedy,
    first_line,
    require_driver,
)

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "CONNECT_TIMEOUT_S",
    "Connection",
    "LOCK_TIMEOUT_S",
    "MASKED",
    "NAME",
    "READ_TIMEOUT_S",
    "first_line",
    "open_database",
    "open_target",
    "refuse_bad_url",
    "require_driver",
    "target_errors",
]

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
"""A connection whose rows are plain tuples."""

NAME = "perfwright"
READ_TIMEOUT_S = 30.0
LOCK_TIMEOUT_S = 1.0


def open_target(target: Target) -> Connection:
    """Open the target read-only, with limits that no statement of ours can exceed.

    The password comes from the environment (`PGPASSWORD`), `~/.pgpass` or a service file.

    Raises:
        MissingExtraError: If psycopg is not installed.
        UnreadableTargetError: If it cannot be connected to.
    """
    options = {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{READ_TIMEOUT_S * 1e3:.0f}",
        "lock_timeout": f"{LOCK_TIMEOUT_S * 1e3:.0f}",
        "idle_in_transaction_session_timeout": "600000",
    }
    connection = open_database(target.location, options=options)
    if _setting(connection, "default_transaction_read_only") != "on":
        connection.close()
        raise UnreadableTargetError(
            target=str(target),
            problem="a connection pool in between dropped our settings, such as read-only",
            remedy="connect to the server itself",
        )
    return connection


def _setting(connection: Connection, name: str) -> str:
    row = connection.execute(f"SHOW {name}").fetchone()
    return str(row[0]) if row else ""


def open_database(url: str, *, options: dict[str, str] | None = None) -> Connection:
    """Open a database in autocommit, with settings for the session.

    Values are sent as literals, as most programs do, so that plans are made for them.

    Raises:
        MissingExtraError: If psycopg is not installed.
        UnreadableTargetError: If it cannot be connected to.
    """
    require_driver()
    import psycopg

    location = url.replace(MASKED, "@")
    try:
        own = psycopg.conninfo.conninfo_to_dict(location).get("options") or ""
        limits = [f"-c {name}={value}" for name, value in (options or {}).items()]
        connection = psycopg.connect(
            location,
            autocommit=True,
            prepare_threshold=None,
            cursor_factory=psycopg.ClientCursor,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=NAME,
            options=" ".join([str(own), *limits]).strip(),
        )
        for name, since in ENDLESS:
            if connection.info.server_version >= since:
                connection.execute(f"SET {name} = 0")
    except psycopg.Error as error:
        raise UnreadableTargetError(
            target=without_password(url),
            problem=first_line(error),
            remedy=connection_remedy(str(error)),
        ) from error
    return connection


@contextmanager
def target_errors(target: str) -> Iterator[None]:
    """Turn errors of the driver into a `TargetError` that names the target."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise TargetError(
            target=target, problem=first_line(error), remedy="check the server and its log"
        ) from error


def refuse_bad_url(url: str, *, field: str) -> None:
    """Refuse a URL that libpq does not understand.

    Raises:
        ConfigError: With the reason.
        MissingExtraError: If psycopg is not installed.
    """
    require_driver()
    import psycopg

    try:
        psycopg.conninfo.conninfo_to_dict(url.replace(MASKED, "@"))
    except psycopg.Error as error:
        raise ConfigError(
            field=field, value=without_password(url), problem=first_line(error)
        ) from None
