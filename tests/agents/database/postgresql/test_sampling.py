"""Sessions are looked at while they work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Flag
from threading import Thread
from typing import Any

import psycopg
import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.postgresql.probes.connection import open_database
from perfwright.agents.database.postgresql.probes.sampling import Watched, watch
from perfwright.core import ManualClock, SystemClock
from tests.postgresql import new_database, run, sleeps

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def shop(server: PrivateServer) -> Iterator[str]:
    with new_database(
        server,
        "CREATE TABLE t (id int PRIMARY KEY, s text)",
        "INSERT INTO t SELECT g, 'x' FROM generate_series(1, 50) g",
    ) as url:
        yield url


def seen(url: str, *, watch_s: float = 0.3) -> Watched:
    connection = open_database(url)
    try:
        return watch(connection, watch_s=watch_s, clock=SystemClock(), progress=lambda _: None)
    finally:
        connection.close()


@contextmanager
def busy(url: str, work: Callable[[Connection], object]) -> Iterator[None]:
    """Do some work over and over in another session; it has begun when this returns."""
    stop, begun = Flag(), Flag()

    def loop() -> None:
        with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
            while not stop.is_set():
                work(connection)
                begun.set()

    thread = Thread(target=loop)
    thread.start()
    try:
        assert begun.wait(20)
        yield
    finally:
        stop.set()
        thread.join()


def test_the_last_statement_of_an_idle_session_has_real_values(shop: str) -> None:
    with psycopg.connect(shop, autocommit=True, cursor_factory=psycopg.ClientCursor) as idle:
        idle.execute("SELECT s FROM t WHERE id = %s", (42,))
        events = seen(shop).events
    (event,) = [e for e in events if "FROM t" in e.execution.sql]
    assert event.execution.sql == "SELECT s FROM t WHERE id = 42"
    assert event.execution.ms is not None
    assert event.usable


def test_a_statement_is_seen_once_however_often_it_is_looked_at(shop: str) -> None:
    with psycopg.connect(shop, autocommit=True) as idle:
        idle.execute("SELECT 1 FROM t")
        found = seen(shop)
    assert found.looks > 2
    assert len(found.events) == 1


def test_values_that_travel_apart_from_the_text_are_not_known(shop: str) -> None:
    with psycopg.connect(shop, autocommit=True) as idle:
        idle.execute("SELECT s FROM t WHERE id = %s", (42,))
        (event,) = seen(shop).events
    assert event.execution.sql == "SELECT s FROM t WHERE id = $1"
    assert not event.usable


def test_a_statement_that_was_cut_is_left_out(shop: str) -> None:
    with psycopg.connect(shop, autocommit=True) as idle:
        idle.execute(f"SELECT s FROM t WHERE s = '{'ä' * 2_000}'".encode())
        found = seen(shop)
    assert (found.events, found.cut, found.cut_bytes) == ((), 1, 1024)


def test_statements_of_one_transaction_are_known_as_such(shop: str) -> None:
    def work(connection: Connection) -> None:
        for number in (1, 2, 3):
            connection.execute("SELECT s, pg_sleep(0.06) FROM t WHERE id = %s", (number,))
        connection.commit()

    with busy(shop, work):
        events = [e for e in seen(shop, watch_s=1.0).events if "FROM t" in e.execution.sql]
    transactions = [e.transaction for e in events if e.transaction is not None]
    assert len(transactions) > len(set(transactions))


def test_our_own_sessions_are_no_workload(shop: str) -> None:
    ours = open_database(shop)
    try:
        ours.execute("SELECT s FROM t")
        assert seen(shop).events == ()
    finally:
        ours.close()


def test_sessions_of_other_roles_are_counted_where_they_are_hidden(shop: str) -> None:
    run(shop, "CREATE ROLE modest_watcher LOGIN")
    try:
        with psycopg.connect(shop, autocommit=True) as idle:
            idle.execute("SELECT s FROM t")
            found = seen(shop.replace("postgres@", "modest_watcher@"))
    finally:
        run(shop, "DROP ROLE modest_watcher")
    assert (found.events, found.hidden) == ((), 1)


def test_watching_ends_though_the_clock_stands_still(shop: str) -> None:
    connection = open_database(shop)
    try:
        found = watch(connection, watch_s=0.2, clock=ManualClock(), progress=lambda _: None)
    finally:
        connection.close()
    assert found.looks == 4


def test_the_server_is_never_asked_to_wait(shop: str) -> None:
    run(shop, "CREATE EXTENSION pg_stat_statements")
    assert seen(shop).looks > 2
    assert sleeps(shop) == []
