"""Who waits for whom."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.postgresql.probes.activity import Activity, masked, watch
from perfwright.agents.database.postgresql.probes.connection import open_database
from perfwright.core import ManualClock, SystemClock
from tests.postgresql import connected, new_database, sleeps


@pytest.fixture(scope="module")
def url(server: PrivateServer) -> Iterator[str]:
    statements = (
        "CREATE TABLE account (id int PRIMARY KEY, sum int)",
        "INSERT INTO account SELECT i, 0 FROM generate_series(1, 10) i",
    )
    with new_database(server, *statements) as made:
        yield made


def look(url: str, *, watch_s: float = 0.0) -> Activity:
    connection = open_database(url)
    try:
        return watch(connection, watch_s=watch_s, clock=SystemClock())
    finally:
        connection.close()


@contextmanager
def waiting(url: str, statement: str) -> Iterator[int]:
    """A session that waits for a lock until the context ends; yields its process."""
    # Were the test to fail before the lock is released, the wait would end all the same.
    connection = psycopg.connect(url, autocommit=True, options="-c lock_timeout=20s")
    pid = connection.info.backend_pid

    def run() -> None:
        with connection:
            connection.execute(statement.encode())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        with connected(url) as observer:
            question = "SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted"
            while observer.execute(question, (pid,)).fetchone() == (0,):
                assert thread.is_alive()
        yield pid
    finally:
        thread.join()


def test_all_who_wait_are_counted_for_the_one_at_the_head(url: str) -> None:
    with connected(url) as head:
        head.execute("BEGIN")
        head.execute("UPDATE account SET sum = 4711 WHERE id = 1")
        with (
            waiting(url, "UPDATE account SET sum = 2 WHERE id = 1") as first,
            waiting(url, "UPDATE account SET sum = 3 WHERE id = 1") as second,
        ):
            seen = look(url)
            head.execute("ROLLBACK")
        (chain,) = seen.lock_chains
        assert chain.blocker.pid == head.info.backend_pid
    assert {waiter.pid for waiter in chain.waiters} == {first, second}
    assert chain.blocker.state == "idle in transaction"
    assert chain.blocker.text == "update account set sum = ? where id = ?"
    assert chain.seconds > 0


def test_the_locked_table_is_named(url: str) -> None:
    with connected(url) as head:
        head.execute("BEGIN")
        head.execute("LOCK TABLE account IN ACCESS EXCLUSIVE MODE")
        with waiting(url, "SELECT * FROM account"):
            seen = look(url)
            head.execute("ROLLBACK")
    (chain,) = seen.lock_chains
    assert (chain.relation, chain.mode) == ("account", "AccessShareLock")


def test_a_chain_is_seen_without_permission_to_see_the_statements(
    server: PrivateServer, url: str
) -> None:
    with connected(url) as head:
        head.execute("CREATE ROLE passerby LOGIN")
        head.execute("BEGIN")
        head.execute("LOCK TABLE account IN ACCESS EXCLUSIVE MODE")
        with waiting(url, "SELECT * FROM account"):
            seen = look(server.url(url.rpartition("/")[2], user="passerby"))
            head.execute("ROLLBACK")
        head.execute("DROP ROLE passerby")
        (chain,) = seen.lock_chains
        assert chain.blocker.pid == head.info.backend_pid
    assert chain.blocker.text == ""


def test_sessions_in_a_transaction_come_with_its_age(url: str) -> None:
    with connected(url) as idle:
        idle.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        idle.execute("SELECT 'secret' FROM account")
        seen = look(url)
        (session,) = (s for s in seen.transactions if s.pid == idle.info.backend_pid)
    assert session.state == "idle in transaction"
    assert session.holds_snapshot
    assert session.transaction_s >= session.state_s >= 0
    assert "secret" not in session.text


def test_connections_are_counted_by_state(url: str) -> None:
    with connected(url), connected(url):
        seen = look(url)
    idle = next(c for c in seen.connections if c.state == "idle")
    assert idle.count >= 2


def test_watching_takes_samples_over_the_time_given(url: str) -> None:
    seen = look(url, watch_s=0.6)
    assert seen.samples == 2
    assert seen.watched_s < 5.0


def test_the_server_is_never_asked_to_wait(url: str) -> None:
    with connected(url) as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
    assert look(url, watch_s=0.6).samples == 2
    assert sleeps(url) == []


def test_a_clock_that_stands_still_does_not_make_it_watch_for_ever(url: str) -> None:
    connection = open_database(url)
    try:
        assert watch(connection, watch_s=0.5, clock=ManualClock()).samples == 2
    finally:
        connection.close()


def test_a_statement_cut_off_within_a_value_shows_none_of_it() -> None:
    assert masked("SELECT * FROM t WHERE a = 'secr") == "select * from t where a = ?"


def test_a_hidden_statement_has_no_text() -> None:
    assert masked("<insufficient privilege>") == ""
