"""Kills perfwright with SIGKILL at random instants; the next start must leave nothing behind.

    python benchmarks/crash_safety.py [--kills 200] [--seed 1] [--only COMMAND]

Every round starts the real command line on a small SQLite target, kills it (the main process
alone, or its whole process group) and starts perfwright again. Then the target must be equal,
object by object and row by row, to the start with the changes that the ledger calls kept; nothing
may be undecided, no copy and no process left. Every fourth repair is killed as well, and must
succeed at the second start. Takes about five minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from _shared import circumstances, say, table

from perfwright.container import bind_change, with_present_inverse
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
from perfwright.experiments.changes import spec_from_sql
from perfwright.experiments.ledger import (
    Applier,
    ChangeEntry,
    ChangeState,
    Ledger,
    RunRecord,
    RunStatus,
)

PERFWRIGHT = str(Path(sys.executable).with_name("perfwright"))
MARK = "PERFWRIGHT_CRASH_ROUND"
"""Environment variable by which the processes of a round are found, whoever their parent is."""
OPEN = ("intended", "applied", "undoing")
GONE_WITHIN_S = 5.0
LIMIT_S = 120.0
RUN = "crash1"
KINDS = ("plain", "statistics", "wal")
COMMANDS = ("apply", "undo", "try", "optimize")
SHARES = {"apply": 0.44, "undo": 0.4, "try": 0.08, "optimize": 0.08}
PLACES = (
    "before intent",
    "intended",
    "applied",
    "kept",
    "undoing",
    "undone",
    "measuring",
    "finished",
)
ROWS = 4_000


# --- The target and its proven changes ---------------------------------------------------------


def make_target(path: Path, *, kind: str) -> None:
    """Write a small shop; the kinds differ in statistics and journal."""
    rng = random.Random(7)
    with closing(sqlite3.connect(path)) as connection:
        if kind == "wal":
            connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(
            "CREATE TABLE orders(id INTEGER PRIMARY KEY AUTOINCREMENT, customer INT, state TEXT,"
            " total REAL, placed INT, note TEXT);"
            "CREATE TABLE items(order_id INT, product INT, amount INT, price REAL);"
            "CREATE INDEX items_order ON items(order_id);"
            "CREATE INDEX orders_state ON orders(state);"
            "CREATE VIEW open_orders AS SELECT * FROM orders WHERE state = 'open';"
        )
        connection.executemany(
            "INSERT INTO orders(customer, state, total, placed, note) VALUES (?, ?, ?, ?, ?)",
            (
                (rng.randrange(900), rng.choice(("open", "paid")), rng.random(), n, "x" * 180)
                for n in range(ROWS)
            ),
        )
        connection.executemany(
            "INSERT INTO items VALUES (?, ?, ?, ?)",
            ((rng.randrange(ROWS), rng.randrange(300), 1, rng.random()) for _ in range(ROWS)),
        )
        if kind == "statistics":
            connection.execute("ANALYZE")
        connection.commit()


def proven_changes(kind: str) -> list[str]:
    """The SQL of the changes that the prepared ledger calls proven, in the order of proof."""
    columns = ("customer", "total", "placed", "customer, placed", "state, placed")
    wanted = [f"CREATE INDEX pw_orders_{n} ON orders({c})" for n, c in enumerate(columns)]
    wanted += [
        f"CREATE INDEX pw_items_{n} ON items({c})"
        for n, c in enumerate(("product", "price", "product, amount"))
    ]
    if kind == "statistics":
        wanted.insert(3, "DROP INDEX orders_state")
    return [*wanted, "ANALYZE", "CREATE INDEX pw_orders_last ON orders(note)"]


def proven_run(target: Path, *, kind: str) -> RunRecord:
    """A finished run that kept every one of `proven_changes`."""
    experiments = tuple(
        ExperimentRecord(
            id=f"{RUN}.{number}",
            proposal=Proposal(
                layer=Layer.DATABASE,
                remedy="prepared",
                change=spec_from_sql(target, sql),
                predicted=Prediction(metric="workload", ratio=0.5, gain=1.0),
                risk=Risk.LOW,
                scope=Scope.QUICK_WIN,
            ),
            verdict=Verdict(outcome=Outcome.KEPT, reason="prepared"),
        )
        for number, sql in enumerate(proven_changes(kind), start=1)
    )
    return RunRecord(
        id=RUN,
        command="optimize",
        target=f"sqlite:///{target}",
        started=SystemClock().today(),
        status=RunStatus.FINISHED,
        experiments=experiments,
    )


def write_workload(path: Path) -> None:
    """Lookups that a scan answers slowly."""
    rng = random.Random(3)
    sql = "SELECT id, total FROM orders WHERE customer = ?"
    lines = (json.dumps({"sql": sql, "params": [rng.randrange(900)]}) for _ in range(12))
    path.write_text("\n".join(lines), encoding="utf-8")


def dump(path: Path) -> str:
    """Every object with its SQL and every row of every table, in one canonical order."""
    with closing(sqlite3.connect(path)) as connection:
        objects = connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        ).fetchall()
        tables = [name for kind, name, _, _ in objects if kind == "table"]
        rows = {
            name: sorted(map(repr, connection.execute(f'SELECT * FROM "{name}"')))
            for name in tables
        }
    return json.dumps([objects, rows])


# --- One lane: rounds one after the other in one folder -----------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One kill to carry out."""

    command: str
    kind: str
    group: bool
    """Whether the whole process group is killed, or the main process alone."""
    working: bool
    """Whether the instant lies within the part that writes, or anywhere in the command."""
    again: bool
    """Whether the repair is killed as well."""
    place: float
    """The instant, 0 to 1 of its range."""
    repair_place: float


@dataclass(slots=True)
class Tally:
    """What became of the kills of one command."""

    kills: int = 0
    group: int = 0
    restored: int = 0
    again: int = 0
    places: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Lane:
    """A folder with prepared targets and ledgers, restored before every round."""

    folder: Path
    spans: dict[tuple[str, str], tuple[float, float]]
    """By command and kind: seconds until the first write, and until the end. Lanes share them."""
    repair_s: float = 1.0

    @property
    def target(self) -> Path:
        """Always at one path: the ledger names it."""
        return self.folder / "work" / "target.db"

    @property
    def home(self) -> Path:
        """The folder of the ledger."""
        return self.folder / "work" / ".perfwright"

    def prepare(self) -> None:
        """Make the template of every kind, untouched (`proven`) and with all kept (`applied`)."""
        for kind in KINDS:
            shutil.rmtree(self.folder / "work", ignore_errors=True)
            self.home.mkdir(parents=True)
            make_target(self.target, kind=kind)
            write_workload(self.target.with_name("workload.jsonl"))
            self.target.with_name("idea.sql").write_text("CREATE INDEX idea ON orders(customer)")
            run = proven_run(self.target, kind=kind)
            ledger = Ledger(self.home / "ledger.db", clock=SystemClock())
            ledger.begin_run(run)
            for experiment in run.experiments:
                ledger.add_experiment(RUN, experiment)
            self._store(f"{kind}-proven")
            applier = Applier(ledger=ledger, bind=bind_change)
            for experiment in run.experiments:
                applier.apply(
                    with_present_inverse(
                        ChangeEntry(
                            id=f"{experiment.id}/1",
                            run=RUN,
                            experiment=experiment.id,
                            target=run.target,
                            spec=experiment.proposal.change,
                            state=ChangeState.INTENDED,
                        )
                    )
                )
            ledger.close()
            self._store(f"{kind}-applied")

    def _store(self, name: str) -> None:
        shutil.copytree(self.folder / "work", self.folder / name)

    def restore(self, job: Job) -> Path:
        """Put the template of a job in place; returns the target as it was at first."""
        state = "applied" if job.command == "undo" else "proven"
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        shutil.copytree(self.folder / f"{job.kind}-{state}", self.folder / "work")
        return self.folder / f"{job.kind}-proven" / "target.db"

    def start(self, *arguments: str, mark: str = "none") -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        environment = {name: value for name, value in os.environ.items() if name != MARK}
        return subprocess.Popen(
            [PERFWRIGHT, *arguments],
            cwd=self.folder / "work",
            env=environment | {MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def measure(self, job: Job) -> None:
        """Let a command run to its end once: how long it takes, and when it first writes."""
        self.restore(job)
        before = len(events(self.home / "ledger.db"))
        began, wall = time.monotonic(), time.time()
        process = self.start(*arguments(job.command))
        _, complaint = process.communicate(timeout=LIMIT_S)
        if process.returncode not in (0, 1, 3):
            raise ValueError(f"{job.command} does not work at all: {complaint[-400:]}")
        written = events(self.home / "ledger.db")[before:]
        first = datetime.fromisoformat(written[0]).timestamp() - wall if written else 0.0
        self.spans[job.command, job.kind] = (first, time.monotonic() - began)
        began = time.monotonic()
        self.start("ledger").communicate(timeout=LIMIT_S)
        self.repair_s = time.monotonic() - began

    def kill_one(self, job: Job) -> tuple[str, list[str]]:
        """Carry out one kill; returns where it landed and what was wrong after the next start."""
        if (job.command, job.kind) not in self.spans:
            self.measure(job)
        pristine = self.restore(job)
        first, end = self.spans[job.command, job.kind]
        low = max(0.0, first - 0.02) if job.working else 0.0
        mark = uuid4().hex
        self.kill_after(low + job.place * (end - low), *arguments(job.command), job=job, mark=mark)
        place = self.found(job)
        if job.again:
            wait_s = job.repair_place * self.repair_s
            self.kill_after(wait_s, "ledger", job=job, mark=mark)
        problems = [*self.problems(pristine), *self.leftovers(mark)]
        return place, problems

    def kill_after(self, delay_s: float, *arguments: str, job: Job, mark: str) -> None:
        """Start a command and kill it after a while."""
        process = self.start(*arguments, mark=mark)
        drain = threading.Thread(target=process.communicate, daemon=True)
        began = time.monotonic()
        drain.start()
        while process.poll() is None and time.monotonic() - began < delay_s:
            time.sleep(max(0.0, min(0.002, delay_s - (time.monotonic() - began))))
        with suppress(ProcessLookupError):  # it had ended before
            if job.group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
        drain.join(GONE_WITHIN_S)

    def found(self, job: Job) -> str:
        """Where the kill landed, by a copy of the ledger as it was found."""
        found = self.folder / "found"
        shutil.rmtree(found, ignore_errors=True)
        shutil.copytree(self.home, found)
        with closing(sqlite3.connect(found / "ledger.db")) as ledger:
            changes = Counter(
                state for (state,) in ledger.execute("SELECT state FROM perfwright_changes")
            )
            runs = [status for (status,) in ledger.execute("SELECT status FROM perfwright_runs")]
        for state in ("undoing", "intended", "applied"):
            if changes[state]:
                return state
        if "running" in runs:
            return "measuring"
        planned = len(proven_changes(job.kind))
        match job.command:
            case "apply":
                done, step = changes["kept"], "kept"
            case "undo":
                done, step = changes["undone"], "undone"
            case _:
                planned, done, step = 1, len(runs) - 1, "kept"
        if not done:
            return "before intent"
        return "finished" if done == planned else step

    def problems(self, pristine: Path) -> Iterator[str]:
        """Start perfwright again and compare what is there with what its ledger says."""
        process = self.start("ledger", "--json")
        shown, complaint = process.communicate(timeout=LIMIT_S)
        if process.returncode != 0 or "Traceback" in complaint:
            yield f"the next start failed with {process.returncode}: {complaint.strip()[-400:]}"
            return
        document = json.loads(shown)
        yield from (f"{c['id']} is {c['state']}" for c in document["changes"] if c["state"] in OPEN)
        yield from (
            f"{r['run']} is still running" for r in document["runs"] if r["status"] == "running"
        )
        kept = [change for change in document["changes"] if change["state"] == "kept"]
        kept.sort(key=lambda change: str(change["updated"]))
        with closing(sqlite3.connect(self.target)) as connection:
            (intact,) = connection.execute("PRAGMA integrity_check").fetchone()
            indexes = connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'index' AND name GLOB 'pw_*'"
            ).fetchall()
        if intact != "ok":
            yield f"integrity_check: {intact}"
        said = " ".join(statement for change in kept for statement in change["apply"])
        yield from (f"index {name} is not called kept" for (name,) in indexes if name not in said)
        if dump(self.target) != dump(self.expected(pristine, kept)):
            yield f"the target differs from the start with {len(kept)} kept changes"
        scratch = self.home / "scratch"
        if scratch.is_dir() and any(scratch.iterdir()):
            yield f"scratch: {[path.name for path in scratch.iterdir()]}"

    def expected(self, pristine: Path, kept: Sequence[dict[str, object]]) -> Path:
        """The start with the kept changes, made by SQLite itself."""
        copy = self.folder / "expected.db"
        for path in self.folder.glob("expected.db*"):
            path.unlink()
        shutil.copyfile(pristine, copy)
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            for change in kept:
                statements = change["apply"]
                assert isinstance(statements, list)
                for statement in statements:
                    connection.execute(statement)
        return copy

    def leftovers(self, mark: str) -> Iterator[str]:
        """Name the processes of a round that outlive it."""
        until = time.monotonic() + GONE_WITHIN_S
        alive = marked(mark)
        while alive and time.monotonic() < until:
            time.sleep(0.05)
            alive = marked(mark)
        yield from (f"process {pid} is alive" for pid in alive)


def arguments(command: str) -> tuple[str, ...]:
    """The command line of a job; the target and the files lie in its folder."""
    match command:
        case "apply":
            return ("apply", RUN, "--yes")
        case "undo":
            return ("undo", "--all")
        case "try":
            workload = ("--workload", "workload.jsonl")
            return ("try", "target.db", "--change", "idea.sql", *workload)
        case _:
            return ("optimize", "target.db", "--workload", "workload.jsonl", "--apply", "--yes")


def events(ledger: Path) -> list[str]:
    """The dates of all events of a ledger, oldest first."""
    with closing(sqlite3.connect(ledger)) as connection:
        rows = connection.execute("SELECT at FROM perfwright_events ORDER BY number")
        return [at for (at,) in rows]


def marked(mark: str) -> list[int]:
    """The living processes whose environment carries a mark."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


# --- The whole -----------------------------------------------------------------------------------


def plan(kills: int, *, rng: random.Random, commands: Sequence[str]) -> list[Job]:
    """Draw every kill beforehand, commands interleaved."""
    total = sum(SHARES[command] for command in commands)
    counts = {command: round(kills * SHARES[command] / total) for command in commands}
    counts[commands[0]] += kills - sum(counts.values())
    jobs = [
        Job(
            command=command,
            kind=KINDS[number % len(KINDS)],
            group=number % 2 == 0,
            working=number // 2 % 2 == 0,
            again=rng.random() < 0.25,
            place=rng.random(),
            repair_place=rng.random(),
        )
        for command, count in counts.items()
        for number in range(count)
    ]
    rng.shuffle(jobs)
    return jobs


def carry_out(jobs: list[Job], *, lanes: int) -> dict[str, Tally]:
    """Work the jobs off, side by side in as many folders as there are lanes."""
    tallies = {command: Tally() for command in COMMANDS}
    waiting, lock, done = list(enumerate(jobs)), threading.Lock(), Counter[str]()
    spans: dict[tuple[str, str], tuple[float, float]] = {}

    def work(folder: Path) -> None:
        lane = Lane(folder, spans)
        lane.prepare()
        while True:
            with lock:
                if not waiting:
                    return
                number, job = waiting.pop(0)
            try:
                place, problems = lane.kill_one(job)
            except (OSError, ValueError, subprocess.SubprocessError, sqlite3.Error) as error:
                place, problems = "unknown", [f"{type(error).__name__}: {error}"]
            with lock:
                tally = tallies[job.command]
                tally.kills += 1
                tally.group += job.group
                tally.again += job.again
                tally.places[place] += 1
                tally.restored += not problems
                tally.failures += [f"kill {number} {job} in {place!r}: {p}" for p in problems]
                done["kills"] += 1
                if problems or done["kills"] % 20 == 0:
                    say(f"{done['kills']} of {len(jobs)} {'; '.join(problems)}")

    with tempfile.TemporaryDirectory(prefix="perfwright-crash-") as root:
        threads = [
            threading.Thread(target=work, args=(Path(root).resolve() / f"lane{n}",))
            for n in range(lanes)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return tallies


def report(tallies: dict[str, Tally]) -> str:
    """The table: by command, where the kills landed and how many were repaired."""
    rows = []
    whole = Tally()
    for command, tally in tallies.items():
        if tally.kills:
            rows.append(_row(command, tally))
            whole.kills += tally.kills
            whole.group += tally.group
            whole.again += tally.again
            whole.restored += tally.restored
            whole.places += tally.places
    header = ("command", "kills", "group", "repair killed", *PLACES, "restored")
    return table(header, [*rows, _row("all", whole)])


def _row(name: str, tally: Tally) -> tuple[object, ...]:
    where = (tally.places[place] for place in PLACES)
    restored = f"{tally.restored} of {tally.kills}"
    return (name, tally.kills, tally.group, tally.again, *where, restored)


def main() -> int:
    """Run it all; exit code 1 when anything was left behind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=2, help="folders worked in side by side")
    parser.add_argument("--only", choices=COMMANDS, help="kill one command only")
    options = parser.parse_args()
    commands = (options.only,) if options.only else COMMANDS
    began = time.monotonic()
    jobs = plan(options.kills, rng=random.Random(options.seed), commands=commands)
    tallies = carry_out(jobs, lanes=options.lanes)
    print(report(tallies))
    print(
        f"\n{time.monotonic() - began:.0f} s, seed {options.seed}, {circumstances('perfwright')}, ",
        end="",
    )
    print(f"SQLite {sqlite3.sqlite_version}")
    failures = [failure for tally in tallies.values() for failure in tally.failures]
    for failure in failures:
        print(f"FAILED {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
