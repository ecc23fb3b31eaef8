"""Connections to PostgreSQL: the target is opened read-only, copies as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from perfwright.core import (
    ConfigError,
    MissingExtraError,
    Target,
    TargetError,
    UnreadableTargetError,
    without_password,
)

if TYPE_CHECKING:
    import psycopg

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
"""A connection whose rows are plain tuples."""

NAME = "perfwright"
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 30.0
LOCK_TIMEOUT_S = 1.0
MASKED = ":***@"
_ENDLESS = (("idle_session_timeout", 140_000), ("transaction_timeout", 170_000))
"""Limits that may be set for everybody, with the version that brought them: they would end a copy,
or a session that waits while others are measured."""


def require_driver() -> None:
    """Refuse to go on without psycopg.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(feature="PostgreSQL", extra="postgres") from error


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
        for name, since in _ENDLESS:
            if connection.info.server_version >= since:
                connection.execute(f"SET {name} = 0")
    except psycopg.Error as error:
        raise UnreadableTargetError(
            target=without_password(url), problem=first_line(error), remedy=_remedy(str(error))
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


def first_line(error: BaseException) -> str:
    """The first line of a message, which is all that a sentence has room for."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _remedy(text: str) -> str:
    if "password" in text:
        return "set PGPASSWORD, or name the password in ~/.pgpass"
    for words, remedy in _REMEDIES.items():
        if words in text:
            return remedy
    return "check the URL"


_UNREACHED = "check host and port, and that the server runs"
_REMEDIES = {
    "does not exist": "check the names of database and role",
    "timeout": _UNREACHED,
    "refused": _UNREACHED,
    "resolve host": _UNREACHED,
    "translate host": _UNREACHED,
    "No such file": _UNREACHED,
    "startup parameter": "connect to the server itself, not to a pooler in front of it",
    "pg_hba.conf": "let the role in from this machine, in the server's pg_hba.conf",
    "too many": "try again when there are connections left",
    "remaining connection slots": "try again when there are connections left",
    "permission denied": "GRANT CONNECT ON DATABASE to the role",
}
"""What to do about a refused connection, by words of libpq, the server or PgBouncer."""


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
