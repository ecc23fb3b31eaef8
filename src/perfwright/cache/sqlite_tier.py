"""An SQLite file as the second tier: several processes of one machine, no server.

SQLite is called in one worker thread, so the event loop never waits for a disk or a lock. Times are
of the machine's monotonic clock, which its processes share; the file of an earlier boot is emptied.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from perfwright.cache import sqlite_rows as rows
from perfwright.cache.bus import Bus, Topic
from perfwright.cache.debts import Debts
from perfwright.cache.envelope import write_id_of
from perfwright.cache.sqlite_bus import SocketBus
from perfwright.cache.tier import Found, Lease, Listener, TierDownError, Wake
from perfwright.core import Clock, SystemClock
from perfwright.monitoring import Metric

T = TypeVar("T")

_RETRY_S = 0.1

Work = Callable[[sqlite3.Connection, float], T]
"""Runs in the worker thread, with the connection and the time."""


class SqliteTier:
    """Values, leases and tag versions in an SQLite file.

    Args:
        path: The file, on a local disk; beside it the folder `<path>.bus` holds the processes'
            sockets. Whoever may write to either may change what is read.
        operation_timeout_s: How long a call may wait for other processes' locks.
        lease_s: How long a process that died keeps others from calling its factory.
        clock: Time in seconds; the same clock in all processes.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        operation_timeout_s: float = 1.0,
        lease_s: float = 3.0,
        clock: Clock | None = None,
    ) -> None:
        self._path, self._timeout_s, self.lease_s = Path(path), operation_timeout_s, lease_s
        self._clock = clock or SystemClock()
        self._bus = Bus()
        self._sockets = SocketBus(Path(f"{self._path}.bus"))
        self._worker: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._debts = Debts(delete=self._delete, drop_tag=self._drop_tag, clear=self._clear)
        self._tasks: list[asyncio.Task[None]] = []
        self.failures = 0

    # --- Lifetime ---------------------------------------------------------------------------------

    @property
    def linked(self) -> bool:
        """Whether every change by another process is being told."""
        return self._worker is not None

    @property
    def out_of_reach(self) -> bool:
        """Whether calls are known to fail: a file is always tried."""
        return False

    async def start(self, listener: Listener) -> None:
        """Open the socket; the file is opened by the first call."""
        self._bus.listener = listener
        self._sockets.open(self._heard, missed=self._missed)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="perfwright-cache")
        collect = self._debts.collect(pause=lambda: self._clock.sleep(_RETRY_S))
        self._tasks = [asyncio.get_running_loop().create_task(collect)]
        self._bus.link_changed(up=True)

    async def aclose(self) -> None:
        """Close both."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        worker, self._worker, self._bus.listener = self._worker, None, None
        if worker is not None:
            await asyncio.get_running_loop().run_in_executor(worker, self._hang_up)
            worker.shutdown()
            self._sockets.close()

    # --- Values -----------------------------------------------------------------------------------

    async def fetch(self, key: str, *, token: bytes, need_s: float) -> Found:
        """Read a value, and unless it has more than `need_s` left take its lease."""
        found = (await self.fetch_many([key]))[0]
        if not token or (found.blob is not None and found.left_s > need_s):
            return found

        def take(connection: sqlite3.Connection, now_s: float) -> Found:
            current = rows.read(connection, key, now_s=now_s)  # again: it may have come meanwhile
            if current.blob is not None and current.left_s > need_s:
                return current
            holder, ends_s = rows.holder(connection, key)
            if ends_s > now_s and holder != token:
                return replace(current, lease=Lease.HELD, held_s=ends_s - now_s)
            rows.lease(connection, key, token=token, ends_s=now_s + self.lease_s)
            return replace(current, lease=Lease.OURS)

        return await self._write(take)

    async def fetch_many(self, keys: Sequence[str]) -> list[Found]:
        """Read values."""
        await self._pay()
        return await self._run(
            lambda connection, now_s: [rows.read(connection, key, now_s=now_s) for key in keys]
        )

    async def store(self, key: str, blob: bytes, *, keep_s: float, token: bytes = b"") -> bool:
        """Write a value; with a token only while that lease holds."""

        def put(connection: sqlite3.Connection, now_s: float) -> bool:
            if token and rows.holder(connection, key)[0] != token:
                return False
            rows.put(connection, key, blob=blob, ends_s=now_s + keep_s)
            rows.sweep(connection, now_s=now_s)
            return True

        message = self._bus.message(Topic.CHANGED, {key: write_id_of(blob)})
        owed = () if token else (key,)  # under a lease an older value cannot be there
        with self._debts.unless_done(*owed):
            return await self._write(put, tell=lambda stored: message if stored else None)

    async def store_many(self, blobs: Mapping[str, bytes], *, keep_s: Mapping[str, float]) -> None:
        """Write values, in one transaction."""

        def put(connection: sqlite3.Connection, now_s: float) -> None:
            for key, blob in blobs.items():
                rows.put(connection, key, blob=blob, ends_s=now_s + keep_s[key])
            rows.sweep(connection, now_s=now_s)

        marks = {key: write_id_of(blob) for key, blob in blobs.items()}
        message = self._bus.message(Topic.CHANGED, marks)
        with self._debts.unless_done(*blobs):
            await self._write(put, tell=lambda _: message)

    async def delete(self, key: str) -> bool:
        """Delete a value and whatever lease there is."""
        with self._debts.unless_done(key):
            return await self._delete(key)

    async def clear(self) -> None:
        """Delete everything."""
        with self._debts.unless_done(everything=True):
            await self._clear()

    async def present(self) -> AsyncIterator[str]:
        """Yield the key of every value."""
        for key in await self._run(lambda connection, _: rows.keys(connection)):
            yield key

    # --- Leases -----------------------------------------------------------------------------------

    async def renew(self, key: str, *, token: bytes) -> None:
        """Begin the lease anew, if it is still ours."""

        def renew(connection: sqlite3.Connection, now_s: float) -> None:
            if rows.holder(connection, key)[0] == token:
                rows.lease(connection, key, token=token, ends_s=now_s + self.lease_s)

        await self._write(renew)

    async def release(self, key: str, *, token: bytes) -> None:
        """Give the lease back, and wake those who wait for it."""

        def release(connection: sqlite3.Connection, _: float) -> None:
            if rows.holder(connection, key)[0] == token:
                rows.end_lease(connection, key)

        message = self._bus.message(Topic.RELEASED, {key: b""})
        await self._write(release, tell=lambda _: message)

    def awaiting(self, key: str) -> AbstractContextManager[Wake]:
        """Listen for the release of a lease from now on."""
        return self._bus.awaiting(key)

    # --- Tags -------------------------------------------------------------------------------------

    async def tag_versions(
        self, tags: Sequence[str], *, keep_s: float, create: bool
    ) -> list[bytes | None]:
        """Read versions; `create` makes those missing, and keeps all for `keep_s` at least."""
        await self._pay()

        def read(connection: sqlite3.Connection, now_s: float) -> list[bytes | None]:
            keep = keep_s if create else None
            return [rows.version(connection, tag, now_s=now_s, keep_s=keep) for tag in tags]

        return await (self._write(read) if create else self._run(read))

    async def drop_tag(self, tag: str) -> None:
        """Forget the version of a tag: a new one never equals it."""
        with self._debts.unless_done(tags=(tag,)):
            await self._drop_tag(tag)

    # --- Within -----------------------------------------------------------------------------------

    def _heard(self, payload: bytes) -> None:
        self._bus.hear(payload)

    def _missed(self) -> None:
        self._bus.link_changed(up=False)  # wakes who waits, and distrusts what is held
        self._bus.link_changed(up=True)

    async def _pay(self) -> None:
        if self._debts:
            await self._debts.pay()

    async def _delete(self, key: str) -> bool:
        message = self._bus.message(Topic.CHANGED, {key: b""})
        return await self._write(
            lambda connection, _: rows.delete(connection, key), tell=lambda _: message
        )

    async def _drop_tag(self, tag: str) -> None:
        message = self._bus.message(Topic.TAG_DROPPED, {tag: b""})
        await self._write(
            lambda connection, _: rows.drop_tag(connection, tag), tell=lambda _: message
        )

    async def _clear(self) -> None:
        message = self._bus.message(Topic.CLEARED, {})
        await self._write(lambda connection, _: rows.clear(connection), tell=lambda _: message)

    async def _write(
        self, work: Work[T], *, tell: Callable[[T], bytes | None] = lambda _: None
    ) -> T:
        """Run `work` in a transaction that no other process writes beside, then send a message.

        Both are one piece of the worker's work, so that no cancellation comes between them.
        """
        cleared = self._bus.message(Topic.CLEARED, {})

        def transaction(connection: sqlite3.Connection, now_s: float) -> tuple[T, bytes | None]:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection, now_s)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            message = tell(result)
            if message is not None:
                self._sockets.send(message, instead=cleared)
            return result, message

        result, message = await self._run(transaction)
        if message is not None:
            self._bus.hear(message)  # those who wait in this process
        return result

    async def _run(self, work: Work[T]) -> T:
        if self._worker is None:
            raise TierDownError
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._worker, lambda: work(self._connected(), self._clock.now())
            )
        except (sqlite3.Error, OSError) as error:
            self.failures += 1
            raise TierDownError from error

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = rows.connect(self._path, timeout_s=self._timeout_s)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def metrics(self) -> Iterable[Metric]:
        """Failures, and the link."""
        yield Metric(
            name="cache_tier_failures",
            kind="counter",
            value=self.failures,
            help="Calls of the second tier that failed.",
            labels={"kind": "error"},
        )
        yield Metric(
            name="cache_link_losses",
            kind="counter",
            value=self._sockets.expelled,
            help="Links that broke.",
        )
        yield Metric(
            name="cache_link_up",
            kind="gauge",
            value=int(self.linked),
            help="1 while every change elsewhere is told.",
        )
