"""What is checked on each version of PostgreSQL: a check asserts, and returns what was noted."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
from _postgres import QUIET, PrivateServer, private_server
from _wide_schema import APP, MONITOR, NOBODY, ORDER, READER, reads, writes

from perfwright.agents.database import DatabasePerformanceAgent
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.postgresql.probes import logs
from perfwright.agents.database.postgresql.probes.catalog import read_catalog
from perfwright.agents.database.postgresql.probes.connection import open_target
from perfwright.agents.database.postgresql.probes.literals import collect_workload
from perfwright.agents.database.postgresql.probes.place import Place
from perfwright.agents.database.postgresql.probes.scratch_server import find_programs
from perfwright.agents.database.postgresql.probes.server import read_server
from perfwright.agents.database.postgresql.workload import Collected
from perfwright.agents.database.server import ServerState
from perfwright.core import Arm, Scope, SystemClock, parse_target
from perfwright.experiments.changes import PostgresChange, spec_from_postgresql_sql

DATABASE = "shop"
CLOCK = SystemClock()
GRANT = re.compile(r"GRANT .+? TO \"\w+\"|CREATE EXTENSION \w+")
COPY_NOTE = "nothing can be proven without a copy"
INDEXES = (
    "SELECT p.*, obj_description(c.oid, 'pg_class'), i.indisvalid FROM pg_indexes p "
    "JOIN pg_class c ON c.relname = p.indexname JOIN pg_index i ON i.indexrelid = c.oid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = p.schemaname "
    "WHERE schemaname NOT LIKE 'pg\\_%' ORDER BY 1, 2, 3"
)
OBJECTS = (
    INDEXES,
    "SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext ORDER BY 1",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE conrelid <> 0 AND connamespace <> 'pg_catalog'::regnamespace ORDER BY 1, 2",
)
SETTINGS = "SELECT setrole::regrole::text, setconfig FROM pg_db_role_setting ORDER BY 1"
CHANGES = {
    "index": f"CREATE INDEX pw_a ON {ORDER} (number) INCLUDE (total) WHERE total > 5",
    "expression": f"CREATE INDEX pw_b ON {ORDER} (lower(number::text), (at AT TIME ZONE 'UTC'))",
    "gin": f"CREATE INDEX pw_c ON {ORDER} USING gin (tags)",
    "partitioned": "CREATE INDEX pw_d ON event (body)",
    "drop": 'DROP INDEX "My ""Shop""".order_mail',
    "drop partitioned": "DROP INDEX event_kind",
    "statistics": f"CREATE STATISTICS pw_s ON number, total FROM {ORDER}; ANALYZE {ORDER}",
    "setting": f"ALTER ROLE {APP} SET random_page_cost = '1.3'",
}


def execute(url: str, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query, if it has any."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


@dataclass(slots=True)
class Stage:
    """One version's server, with the database in it."""

    server: PrivateServer
    major: int
    version: str
    folder: Path

    def url(self, database: str = DATABASE, *, user: str = "postgres") -> str:
        """URL of a database."""
        return self.server.url(database, user=user)

    def ask(self, query: str, *, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """Rows of a query, as superuser."""
        return execute(self.url(database), query)

    def seen(self) -> list[list[tuple[Any, ...]]]:
        """All that a change could alter; indexes come first."""
        return [self.ask(query) for query in (*OBJECTS, SETTINGS)]

    @property
    def workload(self) -> Path:
        """The statements as a file."""
        return self.folder / "workload.jsonl"

    @property
    def copies(self) -> bool:
        """Whether a copy can be made at all."""
        return find_programs(self.major) is not None


Check = Callable[[Stage], Sequence[str]]


def run_load(stage: Stage) -> None:
    """Send the workload once, as the role of the program; writes are rolled back."""
    stage.ask(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {APP}")
    stage.ask(f'GRANT ALL ON ALL TABLES IN SCHEMA "My ""Shop""" TO {APP}')
    stage.ask(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APP}")
    with psycopg.connect(stage.url(user=APP), autocommit=True) as connection:
        for sql in reads(stage.major):
            connection.execute(sql.encode())
        for sql in writes(stage.major):
            with connection.transaction(force_rollback=True):
                connection.execute(sql.encode())


# --- Looking -------------------------------------------------------------------------------------


def difference(one: list[Any], other: list[Any]) -> list[set[str]]:
    return [set(map(str, a)) ^ set(map(str, b)) for a, b in zip(one, other, strict=True)]


def home_of(agent: DatabasePerformanceAgent) -> Place | None:
    """Where the copies of an agent are; it tells nobody else."""
    place: Place | None = agent._engine._place  # type: ignore[attr-defined]
    return place


def catalog_of(url: str) -> Catalog:
    with open_target(parse_target(url)) as connection:
        return read_catalog(connection)


def server_of(url: str) -> tuple[ServerState, tuple[str, ...]]:
    with open_target(parse_target(url)) as connection:
        return read_server(connection, watch_s=0.3, clock=CLOCK)


def workload_of(url: str, workload: Path | None, *, watch_s: float = 0.0) -> Collected:
    with open_target(parse_target(url)) as connection:
        return collect_workload(
            connection,
            catalog=read_catalog(connection),
            workload=workload,
            watch_s=watch_s,
            clock=CLOCK,
            progress=lambda _: None,
        )


def schema_is_read(stage: Stage) -> Sequence[str]:
    """Tables, columns, indexes, statistics are what the server's own views say."""
    catalog = catalog_of(stage.url())
    names = {t.name for t in catalog.tables}
    assert {"customer", 'My "Shop".Ord er', "event_new_Rest", "per_country"} <= names, names
    order, event = catalog.table('My "Shop".Ord er'), catalog.table("event")
    assert order is not None
    assert event is not None
    assert [c.name for c in order.columns if c.generated] == ["twice"]
    assert order.rows == event.rows == 12_000, (order.rows, event.rows)
    part = catalog.table("event_new_a")
    assert part is not None
    assert part.partition_of == "event_new"
    assert all(c.statistics is not None for c in order.columns), order.columns
    ((count,),) = stage.ask(f"SELECT count(*) FROM ({INDEXES}) i")
    assert len(catalog.indexes) == count, (len(catalog.indexes), count)
    assert [i.name for i in catalog.indexes if not i.valid] == ["broken"]
    day = catalog.index("order_day")
    assert day is not None
    assert day.keys[0].column is None
    wanted = {'My "Shop".pairs'} if stage.major < 14 else {'My "Shop".pairs', "public.days"}
    assert {s.name.rpartition(".")[2] for s in catalog.extended_statistics} == {
        n.rpartition(".")[2] for n in wanted
    }, catalog.extended_statistics
    enforced = {(k.table, k.parent) for k in catalog.foreign_keys}
    assert enforced == {('My "Shop".Ord er', "customer")}, enforced
    assert catalog.major == stage.major
    return ()


def server_is_read(stage: Stage) -> Sequence[str]:
    """The superuser sees everything, without a note."""
    state, notes = server_of(stage.url())
    assert not notes, notes
    assert state.checkpoints is not None
    assert state.counters is not None
    assert all((state.upkeep, state.sequences, state.settings))
    assert [i.name for i in state.invalid_indexes], state.invalid_indexes
    assert any(s.role == APP and s.name == "work_mem" for s in state.role_settings)
    assert state.workload_role == APP, state.workload_role
    return ()


def counters_are_read(stage: Stage) -> Sequence[str]:
    """pg_stat_statements knows the workload, and values for it are drawn from the tables."""
    found = workload_of(stage.url(), None)
    shapes = [s for s in found.shapes if s.calls == 25]
    wanted = len({*(reads(stage.major))}) // 25 + len({*(writes(stage.major))}) // 25
    assert len(shapes) >= wanted, (len(shapes), wanted, [s.text for s in found.shapes])
    assert all(s.recorded_ms for s in shapes)
    assert any(s.samples for s in shapes)
    return [n for n in found.notes if "no values are known" in n]


def file_is_read(stage: Stage) -> Sequence[str]:
    """A workload from a file, with times that the server counted."""
    found = workload_of(stage.url(), stage.workload)
    assert sum(s.calls for s in found.shapes) == len([*reads(stage.major), *writes(stage.major)])
    assert all(s.samples for s in found.shapes)
    assert all(s.recorded_ms for s in found.shapes), [s.text for s in found.shapes]
    return found.notes


def log_is_read(stage: Stage) -> Sequence[str]:
    """Statements with their values from the server's own log."""
    stage.ask("ALTER SYSTEM SET log_min_duration_statement = 0")
    stage.ask("SELECT pg_reload_conf()")
    run_load(stage)
    stage.ask("ALTER SYSTEM RESET log_min_duration_statement")
    stage.ask("SELECT pg_reload_conf()")
    found = workload_of(stage.url(), None)
    valued = [s for s in found.shapes if s.samples and not any(x.drawn for x in s.samples)]
    assert len(valued) >= 10, found.notes
    return [n for n in found.notes if "log" in n]


def no_statistics(stage: Stage) -> Sequence[str]:
    """Without pg_stat_statements in a database, the notes say how to get it, and that works."""
    stage.ask("CREATE DATABASE bare", database="postgres")
    found = workload_of(stage.url("bare"), None, watch_s=0.3)
    notes = [n for n in found.notes if "CREATE EXTENSION" in n]
    assert notes, found.notes
    for statement in GRANT.findall(notes[0]):
        stage.ask(statement, database="bare")
    again = workload_of(stage.url("bare"), None, watch_s=0.3)
    assert not [n for n in again.notes if "CREATE EXTENSION" in n], again.notes
    return ()


# --- Roles ---------------------------------------------------------------------------------------


def role_helps(stage: Stage, role: str) -> Sequence[str]:
    """What a role cannot see is named, and every GRANT that is named brings it to light."""
    seen: list[str] = []
    for _ in range(4):
        notes = everything_noted(stage, role)
        seen += [note for note in notes if note not in seen]
        grants = list(dict.fromkeys(g.strip() for n in notes for g in GRANT.findall(n)))
        if not grants:
            break
        for grant in grants:
            assert role in grant or grant.startswith("CREATE"), grant
            stage.ask(grant)
        left = everything_noted(stage, role)
        still = [n for n in left if n in notes and GRANT.search(n)]
        assert not still, f"does not help: {still}"
    else:
        raise AssertionError(f"no end of grants: {seen}")
    return seen


def everything_noted(stage: Stage, role: str) -> list[str]:
    # As if the log were on another machine, where only the server can read it.
    with mock.patch.object(logs, "_is_local", return_value=False):
        return _noted(stage, stage.url(user=role))


def _noted(stage: Stage, url: str) -> list[str]:
    _, notes = server_of(url)
    catalog_of(url)
    collected = workload_of(url, None, watch_s=0.3)
    agent = DatabasePerformanceAgent(url, workload=stage.workload)
    try:
        looked = agent.examine().notes
    finally:
        agent.close()
    return list(dict.fromkeys((*notes, *collected.notes, *looked)))


def reader_sees(stage: Stage) -> Sequence[str]:
    """CONNECT and SELECT on most tables."""
    return role_helps(stage, READER)


def monitor_sees(stage: Stage) -> Sequence[str]:
    """The same with pg_monitor."""
    state, notes = server_of(stage.url(user=MONITOR))
    assert state.privileged
    assert not [n for n in notes if "pg_monitor" in n], notes
    return role_helps(stage, MONITOR)


def nobody_sees(stage: Stage) -> Sequence[str]:
    """CONNECT alone."""
    return role_helps(stage, NOBODY)


# --- Trying --------------------------------------------------------------------------------------


@contextmanager
def agent_of(stage: Stage, database: str = DATABASE) -> Iterator[DatabasePerformanceAgent]:
    agent = DatabasePerformanceAgent(stage.url(database), workload=stage.workload, propose_s=20.0)
    try:
        yield agent
    finally:
        agent.close()


def copy_is_equal(stage: Stage) -> Sequence[str]:
    """Every index, constraint and statistics object is in the copy, and every row."""
    with agent_of(stage) as agent:
        notes = agent.examine().notes
        if not stage.copies:
            assert any(COPY_NOTE in n for n in notes), notes
            return [n for n in notes if COPY_NOTE in n]
        assert not [n for n in notes if "left out" in n], notes
        home = home_of(agent)
        assert home is not None
        with psycopg.connect(home.copies.url("base")) as connection:
            for query in OBJECTS:
                there = connection.execute(query.encode()).fetchall()
                here = stage.ask(query)
                here = [row for row in here if "broken" not in row]  # pg_dump passes over it
                assert there == here, set(there) ^ set(here)
            for name in ("customer", ORDER, "event", "per_country", "booking"):
                count = f"SELECT count(*) FROM {name}"
                assert connection.execute(count.encode()).fetchone() == stage.ask(count)[0], name
    return ()


def workload_runs(stage: Stage) -> Sequence[str]:
    """Each statement runs on the copy; planted faults are found, and an index is proposed."""
    with agent_of(stage) as agent:
        agent.examine()
        seen = agent.artifacts.workload
        if not stage.copies:
            assert all(o.plan for o in seen or () if not o.shape.write), seen
            assert not any(o.shape.samples for o in seen or ())  # what has none is never executed
            return ["planned at the target, not run: no copy"]
        problems = [f"{o.problem}: {o.shape.text}" for o in seen or () if o.cost is None]
        assert not problems, problems
        proposals = agent.propose(scope=Scope.COMPREHENSIVE)
        summaries = [p.change.summary for p in proposals]
        assert any("lower" in s and "customer" in s for s in summaries), summaries
        assert any("tags" in s for s in summaries), summaries
        assert any("order_total" in s for s in summaries), summaries
        assert not any("AT TIME ZONE" in s.upper() or "timezone" in s for s in summaries), summaries
        bench = agent.bench(next(p for p in proposals if "lower" in p.change.summary))
        try:
            before, after = bench.count(Arm.A), bench.count(Arm.B)
            assert after["read_pages"] < before["read_pages"] / 2, (before, after)
            assert all(guard.passed for guard in bench.check()), list(bench.check())
            assert bench.measure(Arm.A)["workload"] > 0
        finally:
            bench.close()
        return [o.problem for o in seen or () if o.problem]


def whole_run_works(stage: Stage) -> Sequence[str]:
    """The command line proves something, makes it on the target, and takes it back."""
    if not stage.copies:
        return ["not run: no copy"]
    before = stage.seen()
    command = [str(Path(sys.executable).with_name("perfwright"))]
    options = ["--ledger", str(stage.folder / "ledger.db")]
    optimize = [
        *("optimize", stage.url(), "--workload", str(stage.workload), "--apply", "--yes"),
        *("--watch", "0", "--budget", "4m", "--json", *options),
    ]
    done = subprocess.run(
        [*command, *optimize], capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-1500:])
    outcomes = re.findall(r'"verdict": "(\w+)"', done.stdout)
    assert "kept" in outcomes, (outcomes, done.stdout[-800:])
    assert stage.seen() != before
    undone = subprocess.run(
        [*command, "undo", "--all", *options], capture_output=True, text=True, check=False
    )
    assert undone.returncode == 0, undone.stderr[-1500:]
    assert stage.seen() == before, difference(stage.seen(), before)
    return ()


def changes_are_undone(stage: Stage) -> Sequence[str]:
    """Each kind of change is made on the target, twice, and taken back, twice."""
    for name, script in CHANGES.items():
        before = stage.seen()
        change = PostgresChange(stage.url(), spec_from_postgresql_sql(stage.url(), script))
        for _ in range(2):
            change.apply()
        changed = stage.seen()
        assert changed != before, name
        assert all(row[-1] or row[2] == "broken" for row in changed[0]), name
        for _ in range(2):
            change.revert()
        assert stage.seen() == before, (name, difference(stage.seen(), before))
    return ()


# --- Orders of texts -----------------------------------------------------------------------------


def orders_are_kept(stage: Stage) -> Sequence[str]:
    """A copy sorts texts as the target does, whoever provides the order."""
    makers = {"libc": "LOCALE 'C.UTF-8'", "latin": "LOCALE 'C' ENCODING 'LATIN1'"}
    if stage.major >= 15 and stage.ask("SELECT 1 FROM pg_collation WHERE collname = 'de-x-icu'"):
        makers["icu"] = "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C'"
        if stage.major >= 16:
            makers["icu_rules"] = makers["icu"] + " ICU_RULES '&a < g'"
    if stage.major >= 17:
        makers["builtin"] = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
    notes = []
    for name, options in makers.items():
        stage.ask(f"CREATE DATABASE {name} TEMPLATE template0 {options}", database="postgres")
        words = "('Z', 1), ('a', 2), ('\u00e4', 3), ('b', 4), ('G', 5), ('g', 6)"
        stage.ask(f"CREATE TABLE t (s text, n int); INSERT INTO t VALUES {words}", database=name)
        order = "SELECT string_agg(upper(s), '' ORDER BY s) FROM t"
        statement = {"sql": "SELECT n FROM t WHERE s LIKE 'a%'"}
        path = stage.folder / f"{name}.jsonl"
        path.write_text(json.dumps(statement) + "\n")
        agent = DatabasePerformanceAgent(stage.url(name), workload=path)
        try:
            agent.examine()
            home = home_of(agent)
            if home is None:
                notes.append(f"{name}: no copy")
                continue
            with psycopg.connect(home.copies.url("base")) as connection:
                there = connection.execute(order.encode()).fetchone()
            here = stage.ask(order, database=name)[0]
            assert there == here, (name, there, here)
        finally:
            agent.close()
        by_bytes = {c.collation for c in catalog_of(stage.url(name)).tables[0].columns}
        wanted = "C" if name in {"latin", "builtin"} else None
        assert wanted in by_bytes, (name, by_bytes)
    return notes


def not_loaded(stage: Stage) -> Sequence[str]:
    """A server that loads nothing: the workload comes from what sessions are seen to do."""
    settings = {**QUIET, "shared_buffers": "32MB", "shared_preload_libraries": ""}
    with private_server(settings, programs=stage.server.programs) as bare:
        found = workload_of(bare.url(), None, watch_s=0.3)
        note = next(n for n in found.notes if "ALTER SYSTEM" in n)
        state, notes = server_of(bare.url())
        assert state.counters is not None
        assert not notes, notes
        told = re.findall(r"ALTER SYSTEM SET \w+ = \w+|CREATE EXTENSION \w+", note)
        assert [t.split()[0] for t in told] == ["ALTER", "CREATE"], note
        execute(bare.url(), told[0])
        bare.restart()
        execute(bare.url(), told[1])
        again = workload_of(bare.url(), None, watch_s=0.3)
    assert not [n for n in again.notes if "pg_stat_statements:" in n], again.notes
    return ()


CHECKS: dict[str, Check] = {
    "server": server_is_read,
    "schema": schema_is_read,
    "counters": counters_are_read,
    "workload file": file_is_read,
    "copy": copy_is_equal,
    "trials": workload_runs,
    "changes": changes_are_undone,
    "orders of texts": orders_are_kept,
    "not created": no_statistics,
    "not loaded": not_loaded,
    "whole run": whole_run_works,
    "log": log_is_read,
    "monitor": monitor_sees,
    "reader": reader_sees,
    "nobody": nobody_sees,
}
