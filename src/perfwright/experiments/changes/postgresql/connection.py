"""Connections that change a PostgreSQL server: bounded, and told apart from anybody else's."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from perfwright.core import MissingExtraError, UnreadableTargetError, is_alive
from perfwright.experiments.changes.postgresql.policy import Policy

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

NAME = "perfwright change"
CONNECT_TIMEOUT_S = 10
MASKED = ":***@"
_CHECK_SINCE = 140_000
ENDLESS = (("idle_session_timeout", 140_000), ("transaction_timeout", 170_000))
"""Limits that may be set for everybody, with the version that brought them: they would end a copy
or a long build, or a session of ours that waits."""


def signature() -> str:
    """The name of our connections: it tells which process of which machine they belong to."""
    return f"{NAME} {os.getpid()}@{_machine()}"


def is_orphan(application_name: str) -> bool:
    """Whether a connection belongs to a perfwright of this machine that is gone."""
    if application_name == signature():
        return True  # a lost one of our own: a process makes one change at a time
    match = re.fullmatch(rf"{NAME} (\d+)@(\w+)", application_name)
    return match is not None and match[2] == _machine() and not is_alive(int(match[1]))


def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def require_driver() -> None:
    """Refuse to go on without psycopg.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import_module("psycopg")
    except ImportError as error:
        raise MissingExtraError(feature="PostgreSQL", extra="postgres") from error


def connect(url: str, *, policy: Policy) -> Connection:
    """Open a database in autocommit with the limits of a policy.

    The password comes from the environment (`PGPASSWORD`), `~/.pgpass` or a service file: the
    ledger knows the URL without it.

    Raises:
        MissingExtraError: If psycopg is not installed.
        UnreadableTargetError: If the server does not let us in.
    """
    require_driver()
    import psycopg

    try:
        connection = psycopg.connect(
            url.replace(MASKED, "@"),
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=signature(),
            keepalives_idle=10,  # a server that vanished is noticed within half a minute
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=30_000,
        )
    except psycopg.Error as error:
        raise UnreadableTargetError(
            target=url,
            problem=first_line(error),
            remedy=connection_remedy(str(error)),
        ) from error
    _limit(connection, policy)
    return connection


def connection_remedy(text: str) -> str:
    """What to do about a refused connection, by the words of the refusal."""
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


def _limit(connection: Connection, policy: Policy) -> None:
    """Set the limits; with SET, since poolers refuse start-up options."""
    import psycopg

    settings = {
        "lock_timeout": f"{policy.lock_timeout_s * 1e3:.0f}",
        "statement_timeout": f"{policy.statement_timeout_s * 1e3:.0f}",
        "idle_in_transaction_session_timeout": "60000",
        "standard_conforming_strings": "on",
        "default_transaction_read_only": "off",
    }
    version = connection.info.server_version
    settings |= {name: "0" for name, since in ENDLESS if version >= since}
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    if version >= _CHECK_SINCE:
        with suppress(psycopg.Error):  # not every system can tell that the other end is gone
            connection.execute("SET client_connection_check_interval = '1s'")


def first_line(error: BaseException) -> str:
    """The first line of a message, which is all that a sentence has room for."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
