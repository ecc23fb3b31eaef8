"""What sessions are doing, looked at again and again: real values, and statements in a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import ceil
from typing import TYPE_CHECKING, Any

from perfwright.agents.database.postgresql.normalising import MARK, embedded, parameters_in
from perfwright.agents.database.postgresql.probes.asking import ask
from perfwright.agents.database.postgresql.probes.connection import NAME
from perfwright.agents.database.postgresql.workload import Event
from perfwright.agents.database.workload import Execution
from perfwright.core import Clock, Progress
from perfwright.experiments.changes.postgresql.session import Pause, pause

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

EVERY_S = 0.05
MAX_EVERY_S = 1.0
REST = 9  # a look is followed by a pause this many times as long: at most a tenth of the time
MAX_EXECUTIONS = 50_000
_CUT_BYTES = 4  # the server cuts in front of a character, so up to this many bytes short
_HIDDEN = "<insufficient privilege>"
_LOOK = f"""
SELECT {MARK} pid, backend_start::text, query_start::text, xact_start::text, state, query,
       octet_length(query), xact_start IS DISTINCT FROM query_start,
       (1e3 * extract(epoch FROM state_change - query_start))::float8
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND (query = '{_HIDDEN}' OR (backend_type = 'client backend' AND query <> ''
       AND query_start IS NOT NULL AND application_name <> '{NAME}'))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was seen in the activity of the server."""

    events: tuple[Event, ...] = ()
    """In the order in which each session sent them."""
    looks: int = 0
    seconds: float = 0.0
    cut: int = 0
    """Statements longer than `track_activity_query_size`: left out."""
    cut_bytes: int = 0
    hidden: int = 0
    """Sessions of other roles whose statements we may not see."""


@dataclass(slots=True)
class _Watcher:
    """Turns looks into executions: one for each session and start of a statement."""

    limit_bytes: int
    seen: dict[tuple[str, str], Event] = field(default_factory=dict)
    cut: set[tuple[str, str]] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)

    def take(self, row: tuple[Any, ...]) -> None:
        pid, started, began, transaction, state, sql, size, is_part, ms = row
        session = f"{pid} {started}"
        if sql == _HIDDEN:  # and all but the process is hidden with it
            self.hidden.add(str(pid))
            return
        identity = (session, str(began))
        if size >= self.limit_bytes - 1 - _CUT_BYTES:
            self.cut.add(identity)
            return
        known = self.seen.get(identity)
        if known is None and len(self.seen) >= MAX_EXECUTIONS:
            return
        sql = embedded(sql)
        event = known or Event(
            execution=Execution(sql=sql), session=session, usable=not parameters_in(sql)
        )
        if state != "active" and event.execution.ms is None:  # since then it waits for the program
            event = replace(event, execution=replace(event.execution, ms=max(0.0, float(ms))))
        if transaction is not None and is_part and event.transaction is None:
            event = replace(event, transaction=str(transaction))
        self.seen[identity] = event

    def events(self) -> Iterator[Event]:
        for _, event in sorted(self.seen.items(), key=lambda item: item[0]):
            yield event


def watch(
    connection: Connection,
    *,
    watch_s: float,
    clock: Clock,
    progress: Progress,
    wait: Pause = pause,
) -> Watched:
    """Look at the sessions of this database every 50 ms, less often where a look takes long.

    Between two looks it is this process that waits: a server that waited for us would write that
    down as slow statements.

    Raises:
        psycopg.Error: If the connection is lost.
    """
    # In bytes and without a unit, which current_setting() adds.
    limit = ask(
        connection, "SELECT setting FROM pg_settings WHERE name = 'track_activity_query_size'"
    )
    watcher = _Watcher(limit_bytes=int(limit[0][0]))
    began, rest_s, looks = clock.now(), EVERY_S, 0
    progress(f"watching the statements of the server for {watch_s:.0f} s")
    # The count ends it, too: the clock of a replay stands still.
    while looks < ceil(watch_s / EVERY_S) and (looks == 0 or clock.now() - began < watch_s):
        wait(rest_s)
        before = clock.now()
        for row in ask(connection, _LOOK):
            watcher.take(row)
        rest_s = min(MAX_EVERY_S, max(EVERY_S, REST * (clock.now() - before)))
        looks += 1
    return Watched(
        events=tuple(watcher.events()),
        looks=looks,
        seconds=clock.now() - began,
        cut=len(watcher.cut),
        cut_bytes=watcher.limit_bytes,
        hidden=len(watcher.hidden),
    )
