"""Who waits for whom on a PostgreSQL server while perfwright changes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from _postgres import PrivateServer

OURS = "perfwright change%"
"""Pattern of the names of perfwright's sessions."""
_EVERY_S = 0.02
_WAITING = """
SELECT l.pid, a.application_name LIKE %(ours)s, EXISTS (
    SELECT FROM pg_stat_activity b
    WHERE b.application_name LIKE %(ours)s AND b.pid = ANY (pg_blocking_pids(l.pid)))
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE NOT l.granted
"""


@dataclass
class Waits:
    """Longest waits in seconds, each with perfwright on one side of it."""

    of_others: float = 0.0
    of_ours: float = 0.0
    probe: float = 0.0
    """Longest single read and write of a session that only reads and writes."""

    def take_in(self, other: Waits) -> None:
        """Keep the longer one of each."""
        self.of_others = max(self.of_others, other.of_others)
        self.of_ours = max(self.of_ours, other.of_ours)
        self.probe = max(self.probe, other.probe)


class Observer:
    """Samples who waits for whom, and reads and writes `orders` like a client."""

    def __init__(self, server: PrivateServer, *, database: str) -> None:
        self.url = server.url(database)
        self.waits = Waits()
        self.looks = 0
        """How often it has looked: without a look, no wait is seen."""
        self.uses = 0
        self.errors: list[str] = []
        """What either session was told instead of an answer."""
        self._since: dict[tuple[str, int], float] = {}
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep_on, args=(work,)) for work in (self._look, self._use)
        ]

    def __enter__(self) -> Observer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _keep_on(self, work: Callable[[psycopg.Connection[Any]], None]) -> None:
        while not self._ended.is_set():
            try:
                with connected(self.url) as connection:
                    while not self._ended.is_set():
                        work(connection)
                        self._ended.wait(_EVERY_S)
            except psycopg.Error as error:
                self.errors.append(f"{type(error).__name__}: {error}")
            self._ended.wait(_EVERY_S)

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        rows = connection.execute(_WAITING, {"ours": OURS}).fetchall()
        self.looks += 1
        now = time.monotonic()
        waiting = {
            ("of_ours" if ours else "of_others", pid) for pid, ours, by in rows if ours or by
        }
        self._since = {key: self._since.get(key, now) for key in waiting}
        for (side, _), since in self._since.items():
            longest = max(getattr(self.waits, side), now - since)
            setattr(self.waits, side, longest)

    def _use(self, connection: psycopg.Connection[Any]) -> None:
        began = time.monotonic()
        connection.execute("UPDATE orders SET customer = customer WHERE id = 7")
        connection.execute("SELECT total FROM orders WHERE id = 9")
        self.uses += 1
        self.waits.probe = max(self.waits.probe, time.monotonic() - began)


@contextmanager
def connected(url: str, *, name: str = "") -> Iterator[psycopg.Connection[Any]]:
    """A session in autocommit, in which no statement takes for ever."""
    connection = psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=5,
        application_name=name,
        options="-c statement_timeout=120s",
    )
    try:
        yield connection
    finally:
        connection.close()
