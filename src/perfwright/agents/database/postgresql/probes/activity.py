"""Watches the sessions of a server for a moment: who waits for whom, and for what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from perfwright.agents.database.postgresql.probes.asking import Row, ask, ask_if_possible
from perfwright.agents.database.server import ConnectionCount, LockChain, Session, WaitEvent
from perfwright.agents.database.workload.lexing import tokenize
from perfwright.agents.database.workload.masks import literals, mask
from perfwright.core import Clock
from perfwright.experiments.changes.postgresql.session import Pause, pause

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

INTERVAL_S = 0.25
MAX_SESSIONS = 50
_HIDDEN = "<insufficient privilege>"

# One row for each connection. `waitstart` exists from PostgreSQL 14 on, and pg_locks shows who
# waits even where the state of other sessions is hidden.
_SESSIONS = """
    SELECT a.pid, coalesce(a.state, ''), coalesce(a.usename, ''), coalesce(a.application_name, ''),
        left(coalesce(a.query, ''), 2000),
        coalesce(extract(epoch FROM clock_timestamp() - a.state_change), 0)::float8,
        coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8,
        a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL,
        a.wait_event_type, a.wait_event,
        a.datname = current_database(),
        CASE WHEN w.pid IS NOT NULL THEN pg_blocking_pids(a.pid) END,
        coalesce(extract(epoch FROM clock_timestamp() - coalesce(w.began, a.query_start)), 0)
            ::float8,
        coalesce(w.relation::regclass::text, ''), w.mode
    FROM pg_stat_activity a
        LEFT JOIN LATERAL (
            SELECT l.pid, l.mode, l.relation, (to_jsonb(l) ->> 'waitstart')::timestamptz AS began
            FROM pg_locks l
            WHERE l.pid = a.pid AND NOT l.granted AND a.datname = current_database()
            LIMIT 1
        ) w ON true
    WHERE a.pid <> pg_backend_pid()
        AND (a.backend_type = 'client backend' OR a.backend_type IS NULL OR w.pid IS NOT NULL)
        AND (a.backend_type IS NOT NULL OR a.datname IS NOT NULL)
"""
_PREPARED = """
    SELECT owner::text, extract(epoch FROM clock_timestamp() - prepared)::float8
    FROM pg_prepared_xacts WHERE database = current_database()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What was seen while watching."""

    connections: tuple[ConnectionCount, ...] = ()
    transactions: tuple[Session, ...] = ()
    lock_chains: tuple[LockChain, ...] = ()
    waits: tuple[WaitEvent, ...] = ()
    samples: int = 0
    watched_s: float = 0.0


@dataclass(slots=True)
class _Seen:
    """What is gathered over the samples."""

    chains: dict[int, LockChain] = field(default_factory=dict)
    waits: Counter[tuple[str, str]] = field(default_factory=Counter)
    busiest: Counter[str] = field(default_factory=Counter)
    last: list[Row] = field(default_factory=list)

    def add(self, rows: list[Row]) -> None:
        """Take in one sample."""
        self.last = rows
        states = Counter(str(row[1]) for row in rows)
        if states.total() >= self.busiest.total():
            self.busiest = states
        for row in rows:
            if row[1] == "active" and row[10]:
                self.waits[str(row[8] or "CPU"), str(row[9] or "")] += 1
        for chain in _chains(rows):
            self._merge(chain)

    def _merge(self, chain: LockChain) -> None:
        known = self.chains.get(chain.blocker.pid)
        if known is None:
            self.chains[chain.blocker.pid] = chain
            return
        worse = max(chain, known, key=lambda c: (len(c.waiters), c.seconds))
        self.chains[chain.blocker.pid] = replace(
            worse, seconds=max(chain.seconds, known.seconds), samples=known.samples + 1
        )


def watch(connection: Connection, *, watch_s: float, clock: Clock, wait: Pause = pause) -> Activity:
    """Sample the sessions every `INTERVAL_S` for `watch_s` seconds, but once at least.

    Between two samples it is this process that waits: a server that waited for us would write that
    down as slow statements.

    Raises:
        psycopg.Error: If the sessions cannot be listed at all.
    """
    began = clock.now()
    seen = _Seen()
    samples = 0
    wanted = max(1, round(watch_s / INTERVAL_S))
    while samples < wanted and (samples == 0 or clock.now() - began < watch_s):
        if samples:
            wait(INTERVAL_S)
        seen.add(ask(connection, _SESSIONS))
        samples += 1
    return Activity(
        connections=tuple(
            ConnectionCount(state=state, count=count)
            for state, count in sorted(seen.busiest.items())
        ),
        transactions=_transactions(seen.last, ask_if_possible(connection, _PREPARED) or []),
        lock_chains=tuple(sorted(seen.chains.values(), key=lambda c: -c.seconds)),
        waits=tuple(
            WaitEvent(type=type_, name=name, count=count)
            for (type_, name), count in seen.waits.most_common()
        ),
        samples=samples,
        watched_s=clock.now() - began,
    )


def masked(text: str) -> str:
    """Return a statement without its values, as reports may show it; it may be cut off."""
    if text == _HIDDEN:
        return ""
    tokens = list(tokenize(text, "postgres"))
    values = {place for place, _ in literals(tokens, frozenset())}
    return mask(tokens, values, dialect="postgres")


def _transactions(rows: list[Row], prepared: list[Row]) -> tuple[Session, ...]:
    found = [_session(row) for row in rows if row[10] and row[6] > 0]
    found += [
        Session(pid=0, state="prepared", user=user, transaction_s=age, holds_snapshot=True)
        for user, age in prepared
    ]
    return tuple(sorted(found, key=lambda s: -s.transaction_s)[:MAX_SESSIONS])


def _session(row: Row) -> Session:
    return Session(
        pid=row[0],
        state=row[1],
        user=row[2],
        application=row[3],
        text=masked(row[4]),
        state_s=row[5],
        transaction_s=row[6],
        holds_snapshot=row[7],
    )


def _chains(rows: list[Row]) -> list[LockChain]:
    """Follow each waiting session to those that wait for nobody."""
    by_pid = {row[0]: row for row in rows}
    blockers: dict[int, list[int]] = {row[0]: list(row[11]) for row in rows if row[11]}
    waiting: dict[int, list[Row]] = {}
    for pid in blockers:
        for root in _roots(pid, blockers):
            waiting.setdefault(root, []).append(by_pid[pid])
    return [_chain(root, by_pid.get(root), group=group) for root, group in waiting.items()]


def _roots(pid: int, blockers: dict[int, list[int]]) -> set[int]:
    """Return who stands at the head of the queues that `pid` is in; a deadlock has no head."""
    roots, seen, left = set[int](), {pid}, list(blockers[pid])
    while left:
        other = left.pop()
        if other in seen:
            continue
        seen.add(other)
        if other in blockers:
            left += blockers[other]
        else:
            roots.add(other)
    return roots


def _chain(root: int, row: Row | None, *, group: list[Any]) -> LockChain:
    group.sort(key=lambda waiter: -waiter[12])
    first = group[0]
    return LockChain(
        blocker=_session(row) if row else Session(pid=root, state="" if root else "prepared"),
        waiters=tuple(_session(waiter) for waiter in group),
        seconds=first[12],
        relation=first[13],
        mode=first[14] or "",
    )
