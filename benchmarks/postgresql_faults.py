"""Breaks PostgreSQL and perfwright while a change is made; nothing half-made may be left behind.

    python benchmarks/postgresql_faults.py [--rounds 6] [--seed 1] [--only SCENARIO] [--json]

Every round starts the real command line (`perfwright apply`, sometimes `undo`) on a private server,
with a ledger that holds proven changes, and lets something go wrong at a random instant. After
the fault is over, perfwright is started once more. Then no index may be invalid, pg_indexes must be
what the ledger says, `undo --all` must bring it back row by row, and nobody may have waited for
perfwright longer than its lock_timeout, nor perfwright for anybody. A scenario whose fault never
met perfwright at work fails as well; and first of all, the checks must find what is planted for
them. Takes about ten minutes.
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
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from _postgres import QUIET, PrivateServer, private_server
from _shared import circumstances, say, table
from _waits import OURS, Observer, Waits, connected

from perfwright.core import (
    ExperimentRecord,
    Layer,
    Outcome,
    PerfwrightError,
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
    "SELECT p.*, i.indisvalid, obj_description(c.oid, 'pg_class'), (SELECT array_agg("
    "a.attstattarget ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid) "
    "FROM pg_indexes p JOIN pg_class c ON c.relname = p.indexname "
    "JOIN pg_index i ON i.indexrelid = c.oid WHERE schemaname = 'public' ORDER BY 1, 2, 3"
)
INVALID = (
    "SELECT indexrelid::regclass::text FROM pg_index "
    "WHERE NOT (indisvalid AND indisready AND indislive)"
)


# --- One round -----------------------------------------------------------------------------------


@dataclass
class Tally:
    """What the rounds of one scenario came to."""

    rounds: int = 0
    struck: int = 0
    """In how many the fault met perfwright at work."""
    applied: int = 0
    """In how many all changes were there at the next start."""
    invalid_left: int = 0
    restored: int = 0
    waits: Waits = field(default_factory=Waits)
    failures: list[str] = field(default_factory=list)


class End(NamedTuple):
    """How perfwright ended under a fault."""

    code: int
    complaint: str
    struck: bool = True
    """Whether the fault met it at work: at a random instant it may come too late."""


@dataclass
class Stage:
    """A server, and one folder with a ledger."""

    server: PrivateServer
    folder: Path
    rng: random.Random
    build_s: float = 2.0
    """How long `apply` takes when nothing goes wrong."""
    user: str = "postgres"
    scripts: tuple[str, ...] = ()
    """What the ledger proposes."""
    later: ExitStack = field(default_factory=ExitStack)
    """What takes the fault itself back; left at the end of every round, after the checks."""

    @property
    def table(self) -> str:
        """The table that the changes are about."""
        return "events" if " ON events " in self.scripts[0] else "orders"

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
        self.scripts = scripts
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
        process = subprocess.Popen(
            [PERFWRIGHT, *arguments],
            cwd=folder or self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.later.callback(process.kill)  # no more than a look where it has ended by itself
        return process

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

    def ledger(self) -> list[dict[str, Any]]:
        """The changes as the next perfwright sees them, which first ends what is half-done."""
        shown = self.run("ledger", "--json")
        if shown.returncode != 0 or "Traceback" in shown.stderr:
            problem = f"{shown.returncode}: {shown.stderr.strip()[-400:]}"
            raise ValueError(f"the next start failed with {problem}")
        changes: list[dict[str, Any]] = json.loads(shown.stdout)["changes"]
        return changes


def ended(process: subprocess.Popen[str], *, struck: bool = True) -> End:
    _, complaint = process.communicate(timeout=LIMIT_S)
    if "Traceback" in complaint:
        raise ValueError(complaint[-600:])
    return End(process.returncode, complaint, struck)


def refused(end: End, *, because: str) -> End:
    if end.code != 2 or because not in end.complaint:
        raise ValueError(f"no refusal with {because!r}, but {end.code}: {end.complaint[-300:]}")
    return end


def check(stage: Stage, end: End, *, start: list[tuple[Any, ...]], tally: Tally) -> Iterator[str]:
    """Start perfwright again and compare what is there with what its ledger says."""
    if end.code not in (0, 2, -signal.SIGKILL):
        yield f"exit code {end.code}: {end.complaint[-300:]}"
    changes = stage.ledger()
    kept = [change for change in changes if change["state"] == "kept"]
    yield from (f"{each['id']} is {each['state']}" for each in changes if each["state"] in OPEN)
    tally.applied += len(kept) == len(stage.scripts)
    if end.struck and end.code == 0 and len(kept) != len(stage.scripts):
        yield f"it ended well, but the ledger keeps {len(kept)} of {len(stage.scripts)} changes"
    invalid = stage.ask(INVALID)
    tally.invalid_left += len(invalid)
    yield from (f"{name} is invalid" for (name,) in invalid)
    names, wanted = {row[2] for row in stage.ask(INDEXES)}, promised(start, kept)
    if names != wanted:
        yield f"the ledger keeps {len(kept)} changes, but of indexes differ {names ^ wanted}"
    undone = stage.run("undo", "--all")
    if undone.returncode:
        yield f"undo: {undone.stderr[-400:]}"
    yield from (
        f"{each['id']} is {each['state']} after undo --all"
        for each in stage.ledger()
        if each["state"] in (*OPEN, "kept")
    )
    if stage.ask(INDEXES) == start:
        tally.restored += 1
    else:
        yield "pg_indexes is not what it was"


def promised(start: list[tuple[Any, ...]], kept: list[dict[str, Any]]) -> set[str]:
    """The names of the indexes that there must be, as the ledger says."""
    names = {row[2] for row in start}
    for statement in (text for change in kept for text in change["apply"]):
        quoted = statement.split('"')
        if statement.startswith("CREATE INDEX"):
            names.add(quoted[1])
        elif statement.startswith("DROP INDEX"):
            names.discard(quoted[-2])
    return names


def suffered(observer: Observer, *, seconds: float, outage: bool) -> Iterator[str]:
    """What others had to bear in a round, and whether it was looked at closely enough."""
    waits, limit_s = observer.waits, LOCK_TIMEOUT_S + SLACK_S
    if waits.of_others > limit_s:
        yield f"others waited {waits.of_others:.2f} s for a lock of perfwright's"
    if waits.of_ours > limit_s:
        yield f"perfwright waited {waits.of_ours:.2f} s for a lock"
    if observer.looks < seconds or not observer.uses:
        yield f"only {observer.looks} looks and {observer.uses} reads in {seconds:.0f} s"
    if not outage:
        yield from observer.errors
        if waits.probe > limit_s:
            yield f"a client that reads and writes waited {waits.probe:.2f} s"


def see_what_is_planted(stage: Stage) -> None:
    """Plant what the checks are there to find: where they miss it, their silence means nothing."""
    with (
        Observer(stage.server, database=DATABASE) as observer,
        connected(stage.url(), name=OURS.replace("%", " 0@planted")) as ours,
        connected(stage.url()) as other,
    ):
        for holder, waiter in ((ours, other), (other, ours)):
            waiter.execute("SET lock_timeout = '500ms'")
            with holder.transaction(), suppress(psycopg.errors.LockNotAvailable):
                holder.execute("LOCK TABLE elsewhere")
                waiter.execute("TABLE elsewhere")
    if min(observer.waits.of_others, observer.waits.of_ours) < 0.3 or not observer.uses:
        raise ValueError(f"the waits that were planted were not seen: {observer.waits}")
    start = stage.ask(INDEXES)
    stage.prepare(CREATE)
    stage.ask_ddl("CREATE INDEX planted ON elsewhere(x)")
    stage.ask_ddl("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'planted'::regclass")
    found = "; ".join(check(stage, End(0, ""), start=start, tally=Tally()))
    stage.ask_ddl("DROP INDEX planted")
    for complaint in ("keeps 0 of 1", "planted is invalid", "indexes differ", "not what it was"):
        if complaint not in found:
            raise ValueError(f"an index was planted, and {complaint!r} is not in: {found}")


# --- The faults ----------------------------------------------------------------------------------


def blocked(stage: Stage) -> End:
    """A transaction that holds a lock on the table: before the start, or from some instant on."""
    mode = stage.rng.choice(("ACCESS EXCLUSIVE", "ROW EXCLUSIVE"))
    return _with_transaction(stage, f"LOCK TABLE {stage.table} IN {mode} MODE")


def old_snapshot(stage: Stage) -> End:
    """A transaction that only reads another table, and that CONCURRENTLY must wait for."""
    return _with_transaction(stage, "SELECT count(*) FROM elsewhere")


def _with_transaction(stage: Stage, statement: str) -> End:
    early = stage.rng.random() < 0.5
    process = None if early else stage.apply()
    if process is not None:
        stage.some_instant()
    with psycopg.connect(stage.url()) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SET LOCAL lock_timeout = '20s'")
        connection.execute(statement.encode())
        process = process or stage.apply()
        struck = process.poll() is None
        time.sleep(stage.rng.choice((1.0, 4.0, 9.0, 20.0)))
        connection.rollback()
    return ended(process, struck=struck)


def killed(stage: Stage) -> End:
    """SIGKILL to perfwright at a random instant, half of the time while it undoes."""
    if stage.rng.random() < 0.4:
        ended(stage.apply())
        process = stage.start("undo", "--all")
        time.sleep(stage.rng.uniform(0.5, 1.3))
    else:
        process = stage.apply()
        stage.some_instant()
    process.kill()
    end = ended(process)
    return end._replace(struck=end.code == -signal.SIGKILL)


def backend_killed(stage: Stage) -> End:
    """pg_terminate_backend, or SIGKILL, which makes the whole server recover."""
    process = stage.apply()
    pid, struck = stage.building(), False
    time.sleep(stage.rng.uniform(0.0, stage.build_s / 2))
    if pid is not None:
        if stage.rng.random() < 0.5:
            struck = stage.ask(f"SELECT pg_terminate_backend({pid})") == [(True,)]
        else:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                struck = True
    return ended(process, struck=struck)


def full_disk(stage: Stage) -> End:
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
        end = ended(stage.apply())
    finally:
        stage.server.restart("immediate")  # under the limit it might not get its checkpoint done
    return refused(end, because="File too large")


def full_tablespace(stage: Stage) -> End:
    """A small file system that is full at the start, or gets full during the build."""
    fills_later = stage.rng.random() < 0.7
    small = small_file_system(mebibytes=220 if fills_later else 16)
    place = stage.later.enter_context(small)
    stage.later.enter_context(tablespace(stage, place / "data"))
    stage.prepare(CREATE + " TABLESPACE small")
    process = stage.apply()
    if fills_later and stage.building() is not None:
        with (place / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(1 << 20))
    return refused(ended(process), because="No space left" if fills_later else "must be free")


def read_only_role(stage: Stage) -> End:
    """A role that may only read: refused, with the owner's name."""
    stage.user = "reader"
    try:
        stage.prepare(CREATE, "DROP INDEX orders_total")
        end = ended(stage.apply())
    finally:
        stage.user = "postgres"
    return refused(end, because="connect as postgres")


def restarted(stage: Stage) -> End:
    """The server stops at once and starts again, in the middle."""
    process = stage.apply()
    stage.some_instant()
    struck = process.poll() is None
    stage.server.restart(stage.rng.choice(("immediate", "immediate", "fast")))
    return ended(process, struck=struck)


def two_at_once(stage: Stage) -> End:
    """Another perfwright with a ledger of its own changes the same database."""
    other = stage.folder.with_name("other")
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(stage.folder, other)
    processes = [stage.apply()]
    time.sleep(stage.rng.uniform(0.0, 0.8))
    processes.append(stage.apply(folder=other))
    first, second = map(ended, processes)
    if second.code not in (0, 2):
        raise ValueError(f"the second perfwright gave {second.code}: {second.complaint[-300:]}")
    back = ended(stage.start("undo", "--all", folder=other))
    if back.code:
        raise ValueError(f"the second perfwright's undo: {back.complaint[-300:]}")
    return first._replace(struck="another perfwright" in first.complaint + second.complaint)


def wanted_by_ddl(stage: Stage) -> End:
    """An ALTER TABLE of somebody else during the build; all readers queue behind it."""
    process = stage.apply()
    struck = stage.building() is not None
    if struck:
        time.sleep(stage.rng.uniform(0.0, stage.build_s / 2))
        text = {"orders": "note", "events": "kind"}[stage.table]
        stage.ask_ddl(f"ALTER TABLE {stage.table} ALTER COLUMN {text} SET STATISTICS 90")
        stage.ask_ddl(f"ALTER TABLE {stage.table} ADD COLUMN IF NOT EXISTS later int")
    return ended(process, struck=struck)


@contextmanager
def small_file_system(*, mebibytes: int) -> Iterator[Path]:
    """A tmpfs that holds no more than this; needs the right to mount."""
    place = Path(tempfile.mkdtemp(prefix="perfwright-small-"))
    try:
        size = f"size={mebibytes}m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)], check=True)
        try:
            yield place
        finally:
            # Lazily: a session may hold a file open that was dropped already.
            subprocess.run(["umount", "--lazy", str(place)], check=True)
    finally:
        place.rmdir()


@contextmanager
def tablespace(stage: Stage, folder: Path) -> Iterator[None]:
    """A tablespace `small` in a new folder."""
    folder.mkdir()
    shutil.chown(folder, "postgres", "postgres")
    stage.ask_ddl(f"CREATE TABLESPACE small LOCATION '{folder}'")
    try:
        yield
    finally:
        stage.ask_ddl("DROP INDEX IF EXISTS pw_orders_slow")  # of a round that failed
        stage.ask_ddl("DROP TABLESPACE small")
        # Without it, recovery after a crash would begin before CREATE TABLESPACE, and a server
        # that finds the folder gone does not start.
        stage.ask_ddl("CHECKPOINT")


SCENARIOS: dict[str, Callable[[Stage], End]] = {
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
UNDISTURBED = 3  # the shortest counts: what waits for longer than a build strikes too late
BROKEN = (OSError, ValueError, subprocess.SubprocessError, psycopg.Error, PerfwrightError)


# --- The whole -----------------------------------------------------------------------------------


@contextmanager
def noted(problems: list[str]) -> Iterator[None]:
    """Write down what goes wrong, so that the other rounds can follow."""
    try:
        yield
    except BROKEN as error:
        problems.append(f"{type(error).__name__}: {error}")


def one_round(stage: Stage, name: str, *, number: int, tally: Tally) -> str:
    """Let one thing go wrong, look at what is left, and say how it went."""
    problems: list[str] = []
    began, struck_before, applied_before = time.monotonic(), tally.struck, tally.applied
    observer = Observer(stage.server, database=DATABASE)
    with observer, noted(problems), stage.later, noted(problems):
        start = stage.ask(INDEXES)
        stage.prepare(*CHANGES[number % len(CHANGES)])
        end = SCENARIOS[name](stage)
        tally.struck += end.struck
        problems += check(stage, end, start=start, tally=tally)
    seconds = time.monotonic() - began
    problems += suffered(observer, seconds=seconds, outage=name in OUTAGES)
    tally.rounds += 1
    tally.waits.take_in(observer.waits)
    tally.failures += [f"{name}, round {number}: {problem}" for problem in problems]
    return (
        f"{seconds:.0f} s, {'struck' if tally.struck > struck_before else 'did not strike'}, "
        f"{'applied' if tally.applied > applied_before else 'not applied'}: "
        f"{'; '.join(problems) or 'fine'}"
    )


def carry_out(names: Sequence[str], *, rounds: int, seed: int) -> tuple[dict[str, Tally], str]:
    """Run every scenario on one server; returns the server's version as well."""
    tallies = {name: Tally() for name in names}
    with private_server(SETTINGS) as server, tempfile.TemporaryDirectory() as root:
        with connected(server.url()) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        stage = Stage(server, Path(root) / "work", random.Random(seed))
        for statement in SCHEMA:
            stage.ask_ddl(statement)
        ((version,),) = stage.ask("SHOW server_version")
        see_what_is_planted(stage)
        stage.build_s = min(undisturbed(stage) for _ in range(UNDISTURBED))
        say(f"apply takes {stage.build_s:.1f} s when nothing goes wrong")
        plan = [(name, number) for name in names for number in range(rounds)]
        for done, (name, number) in enumerate(plan, start=1):
            outcome = one_round(stage, name, number=number, tally=tallies[name])
            say(f"{done} of {len(plan)}: {name}, round {number}: {outcome}")
    for name, tally in tallies.items():
        if not tally.struck:
            tally.failures.append(f"{name}: the fault never met perfwright at work")
    return tallies, version


def undisturbed(stage: Stage) -> float:
    """Apply and undo without a fault; returns the seconds that `apply` took."""
    stage.prepare(CREATE)
    with stage.later:
        began = time.monotonic()
        end = ended(stage.apply())
        seconds = time.monotonic() - began
        back = ended(stage.start("undo", "--all"))
    if end.code or back.code:
        raise ValueError(f"it does not work at all: {end.complaint}{back.complaint}")
    return seconds


def report(tallies: dict[str, Tally]) -> str:
    """The table."""
    header = (
        "scenario",
        "rounds",
        "struck",
        "applied",
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
            tally.struck,
            tally.applied,
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
    tallies, version = carry_out(names, rounds=options.rounds, seed=options.seed)
    failures = [failure for tally in tallies.values() for failure in tally.failures]
    if options.json:
        print(json.dumps({name: asdict(tally) for name, tally in tallies.items()}, indent=1))
    else:
        print(report(tallies))
        print(f"\nlock_timeout {LOCK_TIMEOUT_S:g} s; in brackets: the fault itself makes it wait")
        elapsed_s, versions = time.monotonic() - began, circumstances("perfwright", "psycopg")
        print(f"{elapsed_s:.0f} s, seed {options.seed}, PostgreSQL {version}, {versions}")
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
