"""How far a change of a live server may go: limits and retries. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass

from perfwright.core import ConfigError

MAX_LOCK_TIMEOUT_S = 5.0
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The limits of a change."""

    lock_timeout_s: float = 2.0
    """The server ends every wait for a lock after this, also the waits of CONCURRENTLY for other
    transactions, and also when perfwright is gone."""
    strong_lock_timeout_s: float = 0.2
    """The same for locks that keep readers or writers out, as a partitioned index needs: whoever
    comes meanwhile waits as well."""
    statement_timeout_s: float = 30.0
    """For everything but building an index and ANALYZE, which only others' waits can end."""
    attempts: int = 5
    first_pause_s: float = 0.5
    longest_pause_s: float = 5.0
    patience_s: float = 15.0
    """How long an older transaction is waited for before the change is given up."""
    old_transaction_s: float = 2.0
    """A transaction of this age is likely to outlast a wait of `lock_timeout_s`."""
    clean_up_patience_s: float = 120.0
    """How long a transaction that keeps an invalid index from being dropped is waited for."""
    reconnect_s: float = 60.0
    """How long a server that went away is waited for."""
    poll_s: float = 0.2
    max_lag_s: float = 30.0
    max_lag_bytes: int = GIB
    free_factor: float = 3.0
    """Free space must be this many times the estimated size of the index."""
    max_index_bytes: int | None = None
    """What is allowed where free space cannot be seen; None: anything."""

    def __post_init__(self) -> None:
        if not 0.0 < self.lock_timeout_s <= MAX_LOCK_TIMEOUT_S:
            raise ConfigError(
                field="lock_timeout_s",
                value=self.lock_timeout_s,
                problem=f"must be above 0 and at most {MAX_LOCK_TIMEOUT_S:g}: others queue behind",
            )
        if self.attempts < 1:
            raise ConfigError(field="attempts", value=self.attempts, problem="must be at least 1")

    def pause_s(self, attempt: int, *, rng: random.Random) -> float:
        """How long to wait after a failed attempt, counted from 0: exponential, full jitter.

        Source: M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog (2015).
        """
        return rng.uniform(0.0, min(self.longest_pause_s, self.first_pause_s * 2.0**attempt))


@dataclass(slots=True, kw_only=True)
class Blocking:
    """Decides when a build must end because somebody waits for it.

    CONCURRENTLY lets reads and writes pass, but whatever wants a stronger lock waits for the whole
    build, and every reader queues behind that.
    """

    limit_s: float
    _since_s: float | None = None

    def must_end(self, *, waiting: bool, now_s: float) -> bool:
        """Take in whether anybody waits for us now; True when the limit is as good as reached."""
        if not waiting:
            self._since_s = None
            return False
        if self._since_s is None:
            self._since_s = now_s
        return now_s - self._since_s >= self.limit_s
