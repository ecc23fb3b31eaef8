"""A real PostgreSQL server for the tests that need one: made once, on a free port."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from benchmarks._postgres import NoServerError, PrivateServer, private_server


@pytest.fixture(scope="session")
def server() -> Iterator[PrivateServer]:
    """A server of this session's own; tests are skipped where its programs are not installed."""
    try:
        with private_server() as running:
            yield running
    except NoServerError as error:
        pytest.skip(str(error))


@pytest.fixture
def database(server: PrivateServer) -> Iterator[str]:
    """URL of a new, empty database."""
    with new_database(server) as url:
        yield url


@contextmanager
def new_database(server: PrivateServer, *statements: str) -> Iterator[str]:
    """Make a database, fill it, and drop it at the end; yields its URL."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    with connected(server.url()) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            url = server.url(name)
            run(url, *statements)
            yield url
        finally:
            admin.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


def run(url: str, *statements: str) -> None:
    """Run statements one by one, each in a transaction of its own."""
    if not statements:
        return
    with connected(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """An autocommit connection as long as the context lasts."""
    connection = psycopg.connect(url, autocommit=True)
    try:
        yield connection
    finally:
        connection.close()


def sleeps(url: str) -> list[str]:
    """The statements that made the server of this database wait, by pg_stat_statements."""
    with connected(url) as connection:
        rows = connection.execute(
            "SELECT query FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid "
            "WHERE d.datname = current_database() AND query ~ 'pg_sleep *[(]'"
        ).fetchall()
    return [query for (query,) in rows]
