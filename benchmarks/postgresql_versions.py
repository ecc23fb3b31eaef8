"""Runs every part of perfwright's PostgreSQL engine on real servers of several versions.

    python benchmarks/postgresql_versions.py [--programs DIR ...] [--only CHECK] [--json]

Each version gets a private server with a small database of nearly everything that it offers. Every
check either passes, passes with what perfwright says is missing, or fails; any failure makes the
exit code 1. A folder of --programs holds initdb and postgres; without pg_dump and psql in it nothing
can be copied, which perfwright has to say.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from _postgres import CHOSEN, DEBIAN, QUIET, PrivateServer, private_server
from _shared import circumstances, say, table
from _wide_schema import (
    APP,
    MONITOR,
    NOBODY,
    ORDER,
    READER,
    reads,
    schema,
    write_workload,
    writes,
)

from perfwright.agents.database import DatabasePerformanceAgent
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.postgresql.probes import logs
from perfwright.agents.database.postgresql.probes.catalog import read_catalog
from perfwright.agents.database.postgresql.probes.connection import open_target
from perfwright.agents.database.postgresql.probes.literals import collect_workload
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
    "SELECT p.*, obj_description(c.oid, 'pg_class'), i.indisvalid FROM pg_indexes p JOIN pg_class c "
    "ON c.relname = p.indexname JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_namespace n "
    "ON n.oid = c.relnamespace AND n.nspname = p.schemaname "
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
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    @property
    def workload(self) -> Path:
        """The statements as a file."""
        return self.folder / "workload.jsonl"

    @property
    def copies(self) -> bool:
        """Whether a copy can be made at all."""
        return find_programs(self.major) is not None


@dataclass(slots=True, kw_only=True)
class Result:
    """What came of one check."""

    version: str
    check: str
    outcome: str = "passed"
    """`passed`, `noted` where perfwright named what is missing, `failed`."""
    notes: list[str] = field(default_factory=list)


Check = Callable[[Stage], Sequence[str]]


# --- Looking -------------------------------------------------------------------------------------


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
    assert order is not None and event is not None
    assert [c.name for c in order.columns if c.generated] == ["twice"]
    assert order.rows == event.rows == 12_000, (order.rows, event.rows)
    assert catalog.table("event_new_a").partition_of == "event_new"
    assert all(c.statistics is not None for c in order.columns), order.columns
    ((count,),) = stage.ask(f"SELECT count(*) FROM ({INDEXES}) i")
    assert len(catalog.indexes) == count, (len(catalog.indexes), count)
    assert [i.name for i in catalog.indexes if not i.valid] == ["broken"]
    day = catalog.index("order_day")
    assert day is not None and day.keys[0].column is None
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
    assert state.checkpoints is not None and state.counters is not None
    assert state.upkeep and state.sequences and state.settings
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
    logs._is_local = lambda _connection: False  # noqa: SLF001 - the file may be another machine's
    url = stage.url(user=role)
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
        home = agent._engine._place  # noqa: SLF001 - there is no other way to look at the copy
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
            assert seen is None
            return ["not run: no copy"]
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
    from subprocess import run

    before = [stage.ask(query) for query in (*OBJECTS, SETTINGS)]
    command = [str(Path(sys.executable).with_name("perfwright"))]
    options = ["--ledger", str(stage.folder / "ledger.db")]
    optimize = [
        *("optimize", stage.url(), "--workload", str(stage.workload), "--apply", "--yes"),
        *("--watch", "0", "--budget", "4m", "--json", *options),
    ]
    done = run([*command, *optimize], capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, (done.returncode, done.stderr[-1500:])
    outcomes = re.findall(r'"verdict": "(\w+)"', done.stdout)
    assert "kept" in outcomes, (outcomes, done.stdout[-800:])
    assert [stage.ask(query) for query in (*OBJECTS, SETTINGS)] != before
    undone = run([*command, "undo", "--all", *options], capture_output=True, text=True, check=False)
    assert undone.returncode == 0, undone.stderr[-1500:]
    after = [stage.ask(query) for query in (*OBJECTS, SETTINGS)]
    assert after == before, [set(map(str, a)) ^ set(map(str, b)) for a, b in zip(after, before)]
    return ()


def changes_are_undone(stage: Stage) -> Sequence[str]:
    """Each kind of change is made on the target, twice, and taken back, twice."""
    queries = (*OBJECTS, SETTINGS)
    for name, script in CHANGES.items():
        before = [stage.ask(query) for query in queries]
        change = PostgresChange(stage.url(), spec_from_postgresql_sql(stage.url(), script))
        for _ in range(2):
            change.apply()
        changed = [stage.ask(query) for query in queries]
        assert changed != before, name
        assert not [r for r in changed[0] if r[-1] is False and r[2] != "broken"], name
        for _ in range(2):
            change.revert()
        after = [stage.ask(query) for query in queries]
        assert after == before, (
            name,
            [set(map(str, a)) ^ set(map(str, b)) for a, b in zip(after, before)],
        )
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
            home = agent._engine._place  # noqa: SLF001 - there is no other way to look at the copy
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
        state, notes = server_of(bare.url())
    assert any("ALTER SYSTEM SET shared_preload_libraries" in n for n in found.notes), found.notes
    assert state.counters is not None
    assert not notes, notes
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


# --- Running -------------------------------------------------------------------------------------


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


@contextmanager
def stage_of(programs: Path) -> Iterator[Stage]:
    """A server of one version with the database in it."""
    settings = {**QUIET, "shared_buffers": "64MB", "logging_collector": "on"}
    with (
        tempfile.TemporaryDirectory(prefix="pw-versions-") as folder,
        private_server(settings, programs=programs) as server,
    ):
        with psycopg.connect(server.url(), autocommit=True) as connection:
            number = connection.info.server_version
            version = connection.info.parameter_status("server_version") or ""
            connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        stage = Stage(server, number // 10_000, version.split()[0], Path(folder))
        for statement in schema(stage.major):
            stage.ask(statement)
        write_workload(stage.workload, stage.major)
        run_load(stage)
        yield stage


def run_checks(programs: Path, only: Sequence[str]) -> Iterator[Result]:
    """Run all checks on one version; one that fails does not stop the others."""
    with stage_of(programs) as stage:
        for name, check in CHECKS.items():
            if only and name not in only:
                continue
            say(f"PostgreSQL {stage.version}: {name}")
            result = Result(version=stage.version, check=name)
            try:
                result.notes = list(check(stage))
                result.outcome = "noted" if result.notes else "passed"
            except Exception as error:  # noqa: BLE001 - the boundary: a failure is a result
                result.outcome = "failed"
                result.notes = [f"{type(error).__name__}: {error}"[:2000]]
                if os.environ.get("TRACE"):
                    say(traceback.format_exc())
            yield result


def installed() -> list[Path]:
    """The server programs in the usual places, and those that the environment names."""
    chosen = [Path(f) for f in os.environ.get(CHOSEN, "").split(os.pathsep) if f]
    debian = sorted(DEBIAN.glob("*/bin"), key=lambda p: int(p.parent.name))
    return [f for f in (*chosen, *debian) if (f / "initdb").exists() and (f / "postgres").exists()]


def main() -> int:
    """Print what came of each check on each version."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--programs", nargs="*", type=Path, default=None, metavar="DIR")
    parser.add_argument("--only", action="append", default=[], choices=list(CHECKS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folders = options.programs or installed()
    os.environ[CHOSEN] = os.pathsep.join(map(str, folders))
    results = [result for folder in folders for result in run_checks(folder, options.only)]
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        show(results)
    return int(any(result.outcome == "failed" for result in results) or not results)


def show(results: Sequence[Result]) -> None:
    """Print a table, and below it what was noted and what failed."""
    versions = list(dict.fromkeys(result.version for result in results))
    outcomes = {(r.check, r.version): r.outcome for r in results}
    rows = [
        [check, *(outcomes.get((check, version), "") for version in versions)]
        for check in CHECKS
        if any((check, version) in outcomes for version in versions)
    ]
    print(circumstances("perfwright", "psycopg"))
    print()
    print(table(["check", *versions], rows))
    for result in results:
        for note in result.notes:
            print(f"{result.version} {result.check} ({result.outcome}): {note}")


if __name__ == "__main__":
    sys.exit(main())
