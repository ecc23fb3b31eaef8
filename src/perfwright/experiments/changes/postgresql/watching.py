"""Watches the traffic of a PostgreSQL server around a change, read-only."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass, field

from perfwright.core import ChangeSpec, TargetError
from perfwright.experiments.changes.postgresql.connection import connect, first_line
from perfwright.experiments.changes.postgresql.regression import Counters, Traffic, judge, since
from perfwright.experiments.changes.postgresql.session import Surroundings
from perfwright.experiments.changes.postgresql.sql import Action, read_statement

SLICES = 3
_TRAFFIC = """
SELECT s.queryid::text, sum(s.calls)::bigint, sum(s.total_exec_time)::float8, min(s.query)
FROM pg_stat_statements s
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND s.queryid IS NOT NULL
GROUP BY s.queryid
"""


def touched_tables(spec: ChangeSpec) -> frozenset[str] | None:
    """Names of the tables whose statements a change can slow down; None: of all."""
    names = set()
    for text in (*spec.apply, *spec.revert):
        statement = read_statement(text)
        if statement is not None and statement.action is Action.SET:
            return None
        if (
            statement is not None
            and statement.table
            and statement.action is not Action.ATTACH_INDEX
        ):
            names.add(statement.table)
    return frozenset(names) or None


@dataclass(slots=True, kw_only=True)
class TrafficWatch:
    """A guard of one change: called after it was made, says why it must be taken back.

    Build it before the change is made: the traffic until then is the baseline.
    """

    url: str
    spec: ChangeSpec
    seconds: float
    around: Surroundings
    _before: Counters = field(init=False)
    _blind: str = "no statement has run yet"
    """Why the traffic cannot be seen."""

    def __post_init__(self) -> None:
        self._before = self._read()

    def __call__(self) -> str | None:
        """Watch for `seconds`; return what got slower, or None."""
        if not self._before:
            self.around.say(f"the traffic is not watched: {self._blind}")
            return None
        self.around.say(f"watching the traffic for {self.seconds:g} s")
        slices: list[Counters] = []
        last = self._read()
        for _ in range(SLICES):
            self.around.pause(self.seconds / SLICES)
            now = self._read()
            slices.append(since(now, last))
            last = now
            judgement = judge(self._before, slices)
            if judgement.problem is not None:
                return judgement.problem
            if not any(traffic.touches for traffic in slices[-1].values()):
                break  # nobody is there
        self.around.say(judge(self._before, slices).note)
        return None

    def _read(self) -> Counters:
        """What pg_stat_statements says; nothing where it cannot be asked."""
        import psycopg

        tables = touched_tables(self.spec)
        try:
            with closing(connect(self.url, policy=self.around.policy)) as connection:
                connection.execute("SET default_transaction_read_only = on")
                rows = connection.execute(_TRAFFIC).fetchall()
        except (psycopg.Error, TargetError) as error:
            self._blind = first_line(error)
            return {}
        return {
            shape: Traffic(
                calls=calls, total_ms=total_ms, text=text or "", touches=_touches(text, tables)
            )
            for shape, calls, total_ms, text in rows
            if not re.match(r"\s*(?:CREATE|DROP|ALTER|SET|ANALYZE)\b", text or "", re.IGNORECASE)
        }


def _touches(text: str | None, tables: frozenset[str] | None) -> bool:
    """Whether a statement names one of the tables; views and functions hide theirs."""
    if tables is None or not text:
        return True
    return any(
        re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text, re.IGNORECASE) for name in tables
    )
