"""Where budgets are kept, if not in this process alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from perfwright.core import Clock
from perfwright.llm.cost.ledger import Ledger, Watch
from perfwright.llm.cost.periods import Calendar
from perfwright.llm.cost.shared_ledger import SharedLedger

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

MakeLedger = Callable[[Clock, Watch | None], Ledger]
"""Makes the ledger of one `CostControl`."""


def in_redis(
    client: Redis | RedisCluster,
    *,
    key: str = "perfwright:budgets",
    hold_ttl_s: float = 900.0,
    timeout_s: float = 1.0,
) -> MakeLedger:
    """Keep budgets in Redis, for all processes that name the same key: `make_ledger=in_redis(r)`.

    The budgets of one name must be the same in all of them. Where they must survive a restart of
    the server, let it write its data to disk.

    Args:
        client: A `redis.asyncio` client.
        key: Begins the names of all keys.
        hold_ttl_s: See `SharedLedger`.
        timeout_s: Redis that takes longer does not answer; calls are then not made.

    Raises:
        MissingExtraError: If redis-py is not installed.
    """
    from perfwright.llm.cost.redis_store import RedisStore

    return lambda clock, watch: SharedLedger(
        RedisStore(client, key=key, timeout_s=timeout_s, calendar=Calendar(clock)),
        clock=clock,
        watch=watch,
        hold_ttl_s=hold_ttl_s,
    )


def in_sqlite(path: Path | str, *, hold_ttl_s: float = 900.0, timeout_s: float = 5.0) -> MakeLedger:
    """Keep budgets in a file: `make_ledger=in_sqlite("budgets.db")`.

    Any number of processes of one host may share it. A process may be killed at any moment; a cut
    of the power may lose the last bookings.

    Args:
        path: Made when it is missing. Not on a network drive.
        hold_ttl_s: See `SharedLedger`.
        timeout_s: For so long it waits for another process to let go of the file.
    """
    from perfwright.llm.cost.sqlite_store import SqliteStore

    return lambda clock, watch: SharedLedger(
        SqliteStore(Path(path), timeout_s=timeout_s, calendar=Calendar(clock)),
        clock=clock,
        watch=watch,
        hold_ttl_s=hold_ttl_s,
    )
