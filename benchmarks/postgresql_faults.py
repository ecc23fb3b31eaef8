"""Breaks PostgreSQL and perfwright while a change is made; nothing half-made may be left behind.

    python benchmarks/postgresql_faults.py [--rounds 6] [--seed 1] [--only SCENARIO] [--json]

Every round starts the real command line (`perfwright apply`, sometimes `undo`) on a private server,
with a ledger that holds proven changes, and lets something go wrong at a random instant. After
the fault is over, perfwright is started once more. Then no index may be invalid, pg_indexes must be
what the ledger says, `undo --all` must bring it back row by row, and nobody may have waited for
perfwright longer than its lock_timeout, nor perfwright for anybody. Takes about ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from _postgres import QUIET, PrivateServer, private_server
from _shared import circumstances, say, table

from perfwright.core import (
    ExperimentRecord,
    Layer,
    Outcome,
    Prediction,
    Proposal,
    Risk,
    Scope,
    SystemClock,
    Verdict,
)
from perfwright.experiments.changes import Policy, spec_from_postgresql_sql
from perfwright.experiments.ledger import Ledger, RunRecord, RunStatus

PERFWRIGHT = str(Path(sys.executable).with_name("perfwright"))
RUN = "faults"
DATABASE = "shop"
OPEN = ("intended", "applied", "undoing")
LIMIT_S = 240.0
LOCK_TIMEOUT_S = Policy().lock_timeout_s
SLACK_S = 0.5  # sampling, scheduling on a busy machine, and the cancel itself
SETTINGS = {**QUIET, "maintenance_work_mem": "4MB", "max_connections": "60"}
ROWS = 300_000
OURS = "perfwright change%"
CREATE = "CREATE INDEX pw_orders_slow ON orders (slow(note), customer)"
CHANGES = (
    (CREATE,),
    (CREATE, "DROP INDEX orders_total"),
    ("DROP INDEX orders_state", CREATE),
    ("CREATE INDEX pw_events_kind ON events (slow(kind), happened)",),
)
SCHEMA = (
    "CREATE TABLE orders(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int, "
    "state text, total numeric, note text)",
    "INSERT INTO orders(customer, state, total, note) SELECT g % 900, 's' || g % 5, g, "
    f"repeat('x', 60) || g FROM generate_series(1, {ROWS}) g",
    "CREATE FUNCTION slow(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS "
    "$$ BEGIN FOR i IN 1..12 LOOP PERFORM i; END LOOP; RETURN md5($1); END $$",
    "CREATE TABLE small(x int)",
    f"INSERT INTO small SELECT generate_series(1, {ROWS // 3})",
    "CREATE INDEX orders_total ON orders(total) WITH (fillfactor = 80) WHERE total > 5",
    "COMMENT ON INDEX orders_total IS 'the accountants'' own'",
    "CREATE INDEX orders_state ON orders(state, lower(note))",
    "ALTER INDEX orders_state ALTER COLUMN 2 SET STATISTICS 50",
    "CREATE TABLE events(happened int, kind text) PARTITION BY RANGE (happened)",
    *(
        f"CREATE TABLE events_{n} PARTITION OF events FOR VALUES FROM ({n}) TO ({n + 1})"
        for n in range(3)
    ),
    f"INSERT INTO events SELECT g % 3, 'k' || g FROM generate_series(1, {ROWS // 2}) g",
    "CREATE TABLE elsewhere(x int)",
    "CREATE ROLE reader LOGIN",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    "VACUUM ANALYZE",
)
INDEXES = (
    "SELECT p.*, obj_description(c.oid, 'pg_class'), (SELECT array_agg(a.attstattarget ORDER BY "
    "a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid) FROM pg_indexes p JOIN pg_class c "
    "ON c.relname = p.indexname WHERE schemaname = 'public' ORDER BY 1, 2, 3"
)
INVALID = (
    "SELECT indexrelid::regclass::text FROM pg_index "
    "WHERE NOT (indisvalid AND indisready AND indislive)"
)


# --- What others suffer --------------------------------------------------------------------------


@dataclass
class Waits:
    """Longest waits in seconds, each with perfwright on one side of it."""

    of_others: float = 0.0
    of_ours: float = 0.0
    probe: float = 0.0
    """Longest single read or write of a session that only reads and writes."""


class Observer:
    """Samples who waits for whom, and reads and writes like a client."""

    def __init__(self, server: PrivateServer) -> None:
        self.server = server
        self.waits = Waits()
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
            with suppress(psycopg.Error), connected(self.server.url(DATABASE)) as connection:
                while not self._ended.is_set():
                    work(connection)
            self._ended.wait(0.05)

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        rows = connection.execute(
            "SELECT l.pid, a.application_name LIKE %s, EXISTS (SELECT FROM pg_stat_activity b "
            "WHERE b.application_name LIKE %s AND b.pid = ANY (pg_blocking_pids(l.pid))) "
            "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE NOT l.granted",
            (OURS, OURS),
        ).fetchall()
        now = time.monotonic()
        waiting = {("ours" if ours else "others", pid) for pid, ours, by in rows if ours or by}
        self._since = {key: self._since.get(key, now) for key in waiting}
        for (side, _), since in self._since.items():
            name = f"of_{side}"
            setattr(self.waits, name, max(getattr(self.waits, name), now - since))
        self._ended.wait(0.02)

    def _use(self, connection: psycopg.Connection[Any]) -> None:
        began = time.monotonic()
        connection.execute("UPDATE orders SET customer = customer WHERE id = 7")
        connection.execute("SELECT total FROM orders WHERE id = 9")
        self.waits.probe = max(self.waits.probe, time.monotonic() - began)
        self._ended.wait(0.02)


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    connection = psycopg.connect(url, autocommit=True, connect_timeout=5)
    try:
        yield connection
    finally:
        connection.close()


# --- One round -----------------------------------------------------------------------------------


@dataclass
class Tally:
    """What the rounds of one scenario came to."""

    rounds: int = 0
    applied: int = 0
    refused: int = 0
    invalid_left: int = 0
    restored: int = 0
    waits: Waits = field(default_factory=Waits)
    failures: list[str] = field(default_factory=list)


@dataclass
class Stage:
    """A server, and one folder with a ledger."""

    server: PrivateServer
    folder: Path
    rng: random.Random
    build_s: float = 2.0
    """How long `apply` takes when nothing goes wrong."""
    user: str = "postgres"

    def url(self) -> str:
        return self.server.url(DATABASE)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        until = time.monotonic() + 30.0
        while True:
            try:
                with connected(self.url()) as connection:
                    return connection.execute(query).fetchall()
            except psycopg.OperationalError:  # it restarts
                if time.monotonic() > until:
                    raise
            time.sleep(0.1)

    def ask_ddl(self, statement: str) -> None:
        with connected(self.url()) as connection:
            connection.execute(statement.encode())

    def prepare(self, *scripts: str) -> None:
        """Write a ledger in which each script is proven."""
        shutil.rmtree(self.folder, ignore_errors=True)
        home = self.folder / ".perfwright"
        home.mkdir(parents=True)
        ledger = Ledger(home / "ledger.db", clock=SystemClock())
        ledger.begin_run(
            RunRecord(
                id=RUN,
                command="optimize",
                target=self.server.url(DATABASE, user=self.user),
                started=SystemClock().today(),
                status=RunStatus.FINISHED,
            )
        )
        for number, script in enumerate(scripts, start=1):
            ledger.add_experiment(RUN, self._proven(number, script))
        ledger.close()

    def _proven(self, number: int, script: str) -> ExperimentRecord:
        return ExperimentRecord(
            id=f"{RUN}.{number}",
            proposal=Proposal(
                layer=Layer.DATABASE,
                remedy="prepared",
                change=spec_from_postgresql_sql(self.url(), script),
                predicted=Prediction(metric="workload", ratio=0.5, gain=1.0),
                risk=Risk.LOW,
                scope=Scope.QUICK_WIN,
            ),
            verdict=Verdict(outcome=Outcome.KEPT, reason="prepared"),
        )

    def start(self, *arguments: str, folder: Path | None = None) -> subprocess.Popen[str]:
        environment = {k: v for k, v in os.environ.items() if k != "PERFWRIGHT_LEDGER"}
        return subprocess.Popen(
            [PERFWRIGHT, *arguments],
            cwd=folder or self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def apply(self, folder: Path | None = None) -> subprocess.Popen[str]:
        return self.start("apply", RUN, "--yes", "--watch", "0", folder=folder)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=LIMIT_S)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def some_instant(self) -> None:
        """Wait for a random instant of a command: mostly while it builds, else any."""
        if self.rng.random() < 0.75:
            self.building()
            time.sleep(self.rng.uniform(0.0, 0.8 * self.build_s))
        else:
            time.sleep(self.rng.uniform(0.2, self.build_s + 0.3))

    def building(self) -> int | None:
        """The server process that builds an index for us, awaited for a while."""
        until = time.monotonic() + 20.0
        while time.monotonic() < until:
            with suppress(psycopg.Error):
                rows = self.ask(
                    f"SELECT pid FROM pg_stat_activity WHERE application_name LIKE '{OURS}' "
                    "AND query ILIKE 'CREATE INDEX%' AND state = 'active'"
                )
                if rows:
                    pid: int = rows[0][0]
                    return pid
            time.sleep(0.02)
        return None


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, complaint = process.communicate(timeout=LIMIT_S)
    if "Traceback" in complaint:
        raise ValueError(complaint[-600:])
    return process.returncode, complaint


def check(stage: Stage, start: list[tuple[Any, ...]], tally: Tally) -> Iterator[str]:
    """Start perfwright again and compare what is there with what its ledger says."""
    shown = stage.run("ledger", "--json")
    if shown.returncode != 0 or "Traceback" in shown.stderr:
        yield f"the next start failed with {shown.returncode}: {shown.stderr.strip()[-400:]}"
        return
    changes = json.loads(shown.stdout)["changes"]
    open_ones = [each for each in changes if each["state"] in OPEN]
    yield from (f"{each['id']} is {each['state']}: {shown.stderr[-300:]}" for each in open_ones)
    invalid = stage.ask(INVALID)
    tally.invalid_left += len(invalid)
    yield from (f"{name} is invalid" for (name,) in invalid)
    kept = [change for change in changes if change["state"] == "kept"]
    names = {row[2] for row in stage.ask(INDEXES)}
    wanted = {row[2] for row in start}
    for change in kept:
        for subject in change["apply"]:
            name = subject.split('"')
            if subject.startswith("CREATE INDEX"):
                wanted.add(name[1])
            elif subject.startswith("DROP INDEX"):
                wanted.discard(name[-2])
    if names != wanted:
        yield f"the ledger keeps {len(kept)} changes, but of indexes differ {names ^ wanted}"
    undone = stage.run("undo", "--all")
    if undone.returncode:
        yield f"undo: {undone.stderr[-400:]}"
    if stage.ask(INDEXES) != start:
        yield "pg_indexes is not what it was"
    else:
        tally.restored += 1


# --- The faults ----------------------------------------------------------------------------------


def blocked(stage: Stage) -> tuple[int, str]:
    """A transaction that holds a lock on the table: before the start, or from some instant on."""
    mode = stage.rng.choice(("ACCESS EXCLUSIVE", "ROW EXCLUSIVE"))
    return _with_transaction(stage, f"LOCK TABLE orders IN {mode} MODE")


def old_snapshot(stage: Stage) -> tuple[int, str]:
    """A transaction that only reads another table, and that CONCURRENTLY must wait for."""
    return _with_transaction(stage, "SELECT count(*) FROM elsewhere")


def _with_transaction(stage: Stage, statement: str) -> tuple[int, str]:
    early = stage.rng.random() < 0.5
    process = None if early else stage.apply()
    if process is not None:
        stage.some_instant()
    with psycopg.connect(stage.url()) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SET LOCAL lock_timeout = '20s'")
        connection.execute(statement.encode())
        process = process or stage.apply()
        time.sleep(stage.rng.choice((1.0, 4.0, 9.0, 20.0)))
        connection.rollback()
    return ended(process)


def killed(stage: Stage) -> tuple[int, str]:
    """SIGKILL to perfwright at a random instant, half of the time while it undoes."""
    if stage.rng.random() < 0.4:
        ended(stage.apply())
        process = stage.start("undo", "--all")
        time.sleep(stage.rng.uniform(0.5, 1.3))
    else:
        process = stage.apply()
        stage.some_instant()
    process.kill()
    return ended(process)


def backend_killed(stage: Stage) -> tuple[int, str]:
    """pg_terminate_backend, or SIGKILL, which makes the whole server recover."""
    process = stage.apply()
    pid = stage.building()
    time.sleep(stage.rng.uniform(0.0, stage.build_s / 2))
    if pid is not None:
        if stage.rng.random() < 0.5:
            stage.ask(f"SELECT pg_terminate_backend({pid})")
        else:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return ended(process)


def full_disk(stage: Stage) -> tuple[int, str]:
    """A file size limit for the server: a table fits below it, its index does not."""
    stage.prepare("CREATE INDEX pw_small_wide ON small (repeat(md5(x::text), 9))")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    stage.ask_ddl("CHECKPOINT")  # what is large already must not be written again
    resource.setrlimit(resource.RLIMIT_FSIZE, (17 << 20, hard))  # a WAL segment takes 16 MiB
    try:
        stage.server.restart()  # inherits it
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    try:
        code, complaint = ended(stage.apply())
    finally:
        stage.server.restart()
    if code != 2 or "File too large" not in complaint:
        raise ValueError(f"a disk that is full gave {code}: {complaint[-300:]}")
    return code, complaint


def full_tablespace(stage: Stage) -> tuple[int, str]:
    """A small file system that is full at the start, or gets full during the build."""
    place = Path("/tmp") / f"perfwright-small-{os.getpid()}"
    fills_later = stage.rng.random() < 0.7
    with ExitStack() as stack:
        stack.enter_context(small_file_system(place, mebibytes=220 if fills_later else 16))
        stage.ask_ddl(f"CREATE TABLESPACE small LOCATION '{place}/data'")
        stack.callback(stage.ask_ddl, "DROP TABLESPACE IF EXISTS small")
        stage.prepare(CREATE + " TABLESPACE small")
        process = stage.apply()
        if fills_later and stage.building() is not None:
            with (place / "filler").open("wb") as filler, suppress(OSError):
                while True:
                    filler.write(bytes(1 << 20))
                    filler.flush()
        code = ended(process)
        (place / "filler").unlink(missing_ok=True)
        stage.run("undo", "--all")  # else the tablespace could not be dropped
        return code


def read_only_role(stage: Stage) -> tuple[int, str]:
    """A role that may only read: refused, with the owner's name."""
    stage.user = "reader"
    try:
        stage.prepare(CREATE, "DROP INDEX orders_total")
        code, complaint = ended(stage.apply())
    finally:
        stage.user = "postgres"
    if code != 2 or "connect as postgres" not in complaint:
        raise ValueError(f"a role that may only read got {code}: {complaint[-300:]}")
    return code, complaint


def restarted(stage: Stage) -> tuple[int, str]:
    """The server stops at once and starts again, in the middle."""
    process = stage.apply()
    stage.some_instant()
    stage.server.restart(stage.rng.choice(("immediate", "immediate", "fast")))
    return ended(process)


def two_at_once(stage: Stage) -> tuple[int, str]:
    """Another perfwright with a ledger of its own changes the same database."""
    other = stage.folder.with_name("other")
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(stage.folder, other)
    first = stage.apply()
    time.sleep(stage.rng.uniform(0.0, 0.8))
    second = stage.apply(folder=other)
    code, complaint = ended(first)
    if ended(second)[0] not in (0, 2):
        raise ValueError("the second perfwright ended in an unknown way")
    back = stage.start("undo", "--all", folder=other)
    ended(back)
    return code, complaint


def wanted_by_ddl(stage: Stage) -> tuple[int, str]:
    """An ALTER TABLE of somebody else during the build; all readers queue behind it."""
    process = stage.apply()
    if stage.building() is not None:
        time.sleep(stage.rng.uniform(0.0, stage.build_s / 2))
        stage.ask_ddl("ALTER TABLE orders ALTER COLUMN note SET STATISTICS 90")
        stage.ask_ddl("ALTER TABLE orders ADD COLUMN IF NOT EXISTS later int")
    return ended(process)


@contextmanager
def small_file_system(place: Path, *, mebibytes: int) -> Iterator[None]:
    """A tmpfs that holds no more than this; needs the right to mount."""
    place.mkdir(exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(place)], check=True
    )
    try:
        data = place / "data"
        data.mkdir()
        shutil.chown(data, "postgres", "postgres")
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)
        place.rmdir()


SCENARIOS: dict[str, Callable[[Stage], tuple[int, str]]] = {
    "blocker holds a lock": blocked,
    "old snapshot": old_snapshot,
    "kill -9 of perfwright": killed,
    "backend killed": backend_killed,
    "file size limit": full_disk,
    "tablespace full": full_tablespace,
    "read-only role": read_only_role,
    "server restarts": restarted,
    "two perfwrights": two_at_once,
    "ALTER TABLE meanwhile": wanted_by_ddl,
}
OUTAGES = ("blocker holds a lock", "backend killed", "file size limit", "server restarts")
"""The probe waits for the server or the blocker here, not for perfwright."""


# --- The whole -----------------------------------------------------------------------------------


def one_round(stage: Stage, name: str, *, number: int, tally: Tally) -> None:
    """Let one thing go wrong, and look at what is left."""
    start = stage.ask(INDEXES)
    stage.prepare(*CHANGES[number % len(CHANGES)])
    problems: list[str] = []
    with Observer(stage.server) as observer:
        try:
            code, complaint = SCENARIOS[name](stage)
            tally.applied += code == 0
            tally.refused += code != 0
            if code not in (0, 2, -signal.SIGKILL):
                problems.append(f"exit code {code}: {complaint[-300:]}")
            problems += check(stage, start, tally)
        except (OSError, ValueError, subprocess.SubprocessError, psycopg.Error) as error:
            problems.append(f"{type(error).__name__}: {error}")
    waits = observer.waits
    problems += [
        f"{side} waited {seconds:.2f} s for a lock"
        for side, seconds in (("others", waits.of_others), ("perfwright", waits.of_ours))
        if seconds > LOCK_TIMEOUT_S + SLACK_S
    ]
    tally.rounds += 1
    tally.waits.of_others = max(tally.waits.of_others, waits.of_others)
    tally.waits.of_ours = max(tally.waits.of_ours, waits.of_ours)
    tally.waits.probe = max(tally.waits.probe, waits.probe)
    tally.failures += [f"{name}, round {number}: {problem}" for problem in problems]
    say(f"{name}, round {number}: {'; '.join(problems) or 'fine'}")


def carry_out(names: Sequence[str], *, rounds: int, seed: int) -> dict[str, Tally]:
    """Run every scenario on one server."""
    tallies = {name: Tally() for name in names}
    with private_server(SETTINGS) as server, tempfile.TemporaryDirectory() as root:
        with connected(server.url()) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        stage = Stage(server, Path(root) / "work", random.Random(seed))
        for statement in SCHEMA:
            stage.ask_ddl(statement)
        stage.prepare(CREATE)
        began = time.monotonic()
        code, complaint = ended(stage.apply())
        stage.build_s = time.monotonic() - began
        if code:
            raise ValueError(f"apply does not work at all: {complaint}")
        ended(stage.start("undo", "--all"))
        say(f"apply takes {stage.build_s:.1f} s when nothing goes wrong")
        for name in names:
            for number in range(rounds):
                one_round(stage, name, number=number, tally=tallies[name])
    return tallies


def report(tallies: dict[str, Tally]) -> str:
    """The table."""
    header = (
        "scenario",
        "rounds",
        "applied",
        "given up",
        "invalid left",
        "restored",
        "others waited for us s",
        "we waited s",
        "probe's longest s",
    )
    rows = [
        (
            name,
            tally.rounds,
            tally.applied,
            tally.refused,
            tally.invalid_left,
            f"{tally.restored} of {tally.rounds}",
            f"{tally.waits.of_others:.2f}",
            f"{tally.waits.of_ours:.2f}",
            f"({tally.waits.probe:.2f})" if name in OUTAGES else f"{tally.waits.probe:.2f}",
        )
        for name, tally in tallies.items()
    ]
    return table(header, rows)


def main() -> int:
    """Run it all; exit code 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=tuple(SCENARIOS), action="append")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    names = options.only or list(SCENARIOS)
    if "tablespace full" in names and os.geteuid() != 0:
        say("without the right to mount, the tablespace is left out; the file size limit stays")
        names.remove("tablespace full")
    tallies = carry_out(names, rounds=options.rounds, seed=options.seed)
    failures = [failure for tally in tallies.values() for failure in tally.failures]
    if options.json:
        print(json.dumps({name: asdict(tally) for name, tally in tallies.items()}, indent=1))
    else:
        print(report(tallies))
        print(f"\nlock_timeout {LOCK_TIMEOUT_S:g} s; in brackets: the fault itself makes it wait")
        elapsed_s = time.monotonic() - began
        print(f"{elapsed_s:.0f} s, seed {options.seed}, {circumstances('perfwright', 'psycopg')}")
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
