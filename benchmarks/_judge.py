"""The judge of index advice, `db/dbbench.py`, driven from benchmarks."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg
from _postgres import PrivateServer
from _shared import say

HERE = Path(__file__).parent
JUDGE = HERE / "db" / "dbbench.py"
WRITE_REPEATS = 3  # with other values each time: once is too short to be timed
_FOLDERS = (HERE / "db", HERE / "datasets")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WritePhase:
    """The writes of the workload on a fresh copy, `WRITE_REPEATS` times over."""

    pages: float
    seconds: float
    cpu_s: float
    """Of the server process: it hardly moves with the load of the machine."""


def find_dataset(name: str) -> Path:
    """Return the module of a data set, given its name or its path."""
    for path in (Path(name), *(folder / f"{name}.py" for folder in _FOLDERS)):
        if path.is_file():
            return path.resolve()
    raise SystemExit(f"no data set {name}; looked in {', '.join(map(str, _FOLDERS))}")


class Judge:
    """Builds one data set on a private server, prepares it for advisors, and judges advice.

    Args:
        dataset: The module; `expert.NAME.pg.sql` beside it is the hand-made answer.
        work: Folder of workloads and advice.
    """

    def __init__(self, server: PrivateServer, dataset: Path, work: Path) -> None:
        self._server, self._path, self.work = server, dataset, work
        self._module = _load(JUDGE, "dbbench")
        self._module.DSN = server.dsn
        self._sequence = self._module.sequence
        self.data = _load(dataset, f"dataset_{dataset.stem}")
        self.name: str = self.data.NAME
        self.expert = dataset.with_name(f"expert.{self.name}.pg.sql")
        self.workload = work / "workload.jsonl"
        self.url = server.url(f"dbb_{self.name}")

    @property
    def shapes(self) -> int:
        """How many different statements the workload has."""
        return sum(len(t["sql"]) if isinstance(t["sql"], list) else 1 for t in self.data.TEMPLATES)

    def build(self) -> None:
        """Make the template database."""
        self._run("build")

    def prepare(self) -> None:
        """Make the database that advisors see: the workload ran once on it, and was logged."""
        self._run("prepare", "--workdir", str(self.work))

    def tuned(self) -> Judge:
        """The same data set with all that the expert advises already in place."""
        path = self.work / f"{self.name}_tuned.py"
        path.write_text(
            "import importlib.util as _i\n"
            f"_s = _i.spec_from_file_location('_base', {str(self._path)!r})\n"
            "_m = _i.module_from_spec(_s); _s.loader.exec_module(_m)\n"
            "globals().update({k: v for k, v in vars(_m).items() if not k.startswith('__')})\n"
            "NAME += '_tuned'\n"
            f"POST_DDL += {(';' + chr(10) + self.expert.read_text())!r}\n"
        )
        folder = self.work / "tuned"
        folder.mkdir(exist_ok=True)
        return Judge(self._server, path, folder)

    def split(self, advice: Path) -> list[str]:
        """The statements of an advice file."""
        statements: list[str] = self._module.split_sql(advice.read_text())
        return statements

    def measure(self, statements: Sequence[str], *, reps: int, unseen: int = 0) -> Row:
        """Run reads and writes with some advice applied to a fresh copy.

        Args:
            unseen: Other than 0, executions that no advisor has seen: a seed.
        """
        original = self._sequence

        def shifted(data: Any, engine: Any, phase: str, seed: int) -> Any:
            return original(data, engine, phase, seed + unseen)

        self._module.sequence = shifted
        try:
            engine = self._engine()
            measured: Row = self._module.measure(engine, self.data, reps, list(statements))
            engine.close()
        finally:
            self._module.sequence = original
        return measured

    def audit(self, base: Row, measured: Row) -> Row:
        """Compare with what was measured without advice."""
        row: Row = self._module.audit(self.data, base, measured)
        new = set(measured["indexes"]) - set(measured["before_idx"])
        row["read_pages"], row["base_pages"] = measured["read_pages"], base["read_pages"]
        row["new_bytes"] = sum(measured["indexes"][name]["bytes"] for name in new)
        row["net_bytes"] = measured["index_bytes"] - base["index_bytes"]
        return row

    def write_pairs(
        self, before: Sequence[str], after: Sequence[str], *, rounds: int
    ) -> list[tuple[WritePhase, WritePhase]]:
        """Run the writes with two sets of statements applied, interleaved, on fresh copies."""
        pairs = []
        for number in range(rounds):
            seed = 100 + WRITE_REPEATS * number
            if number % 2 == 0:
                first = self._write_phase(before, seed=seed)
                pairs.append((first, self._write_phase(after, seed=seed)))
            else:
                second = self._write_phase(after, seed=seed)
                pairs.append((self._write_phase(before, seed=seed), second))
        return pairs

    def _write_phase(self, statements: Sequence[str], *, seed: int) -> WritePhase:
        engine = self._engine()
        engine.reset()
        for statement in statements:
            if self._module.ALLOWED.match(statement):
                engine.conn.execute(statement)
        engine.close()
        engine.connect()
        engine.warm()
        engine.checkpoint()
        sequences = [
            self._sequence(self.data, engine, "w", seed + repeat) for repeat in range(WRITE_REPEATS)
        ]
        pid, pages = engine.conn.info.backend_pid, engine.pages()
        before_s, began = _processor_s(pid), time.perf_counter()
        for template, values in chain.from_iterable(sequences):
            # A reply to a ticket that an earlier sequence deleted fails, with and without advice.
            with suppress(psycopg.IntegrityError):
                self._module.exec_one(engine, template, values)
        seconds, cpu_s = time.perf_counter() - began, _processor_s(pid) - before_s
        pages = engine.pages() - pages
        engine.close()
        return WritePhase(pages, seconds, cpu_s)

    def _engine(self) -> Any:
        engine = self._module.PG(self.data)
        engine.db += "_judged"  # what advisors see stays as it is
        return engine

    def _run(self, command: str, *options: str) -> None:
        argv = [sys.executable, str(JUDGE), command, str(self._path.with_suffix("")), *options]
        environment = {**os.environ, "DBB_DSN": self._server.dsn}
        say(f"{command} {self.name}")
        subprocess.run(argv, env=environment, check=True, stdout=sys.stderr)


def _processor_s(pid: int) -> float:
    """Seconds that a process has been on a processor; the usual clock ticks are too coarse."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def read_gain_share(row: Row, expert: Row) -> float:
    """Share of the expert's reduction of pages read, on a log scale; 1.0 is as good."""
    return math.log(row["read_pages_ratio"]) / math.log(expert["read_pages_ratio"])


def pages_per_mebibyte(row: Row, *, size: str = "new_bytes") -> float:
    """Pages of one replay that each mebibyte of index saves."""
    mebibytes = row[size] / 2**20
    return (row["base_pages"] - row["read_pages"]) / mebibytes if mebibytes > 0 else math.inf


def median_ratio(
    pairs: Sequence[tuple[WritePhase, WritePhase]], value: Callable[[WritePhase], float]
) -> float:
    """Median over pairs of after / before."""
    return statistics.median(value(after) / max(value(before), 1e-9) for before, after in pairs)


@dataclass(frozen=True, slots=True)
class Optimized:
    """One run of `perfwright optimize`."""

    document: Row
    seconds: float
    advice: Path
    """SQL of what was kept."""

    @property
    def kept(self) -> list[Row]:
        return [one for one in self.document["experiments"] if one["verdict"] == "kept"]

    @property
    def summary(self) -> Row:
        """What the database agent says it looked at."""
        found: Row = self.document["summary"].get("database", {})
        return found


class OptimizeError(RuntimeError):
    """`perfwright optimize` gave no document."""


def optimize(
    url: str, work: Path, *, name: str, workload: Path | None, budget: str, scope: str
) -> Optimized:
    """Run `perfwright optimize` as a user would, and write the SQL of what it kept.

    Raises:
        OptimizeError: If it fails.
    """
    ledger = work / f"{name}.ledger.db"
    for leftover in work.glob(f"{ledger.name}*"):
        leftover.unlink()
    options = ["--json", "--scope", scope, "--budget", budget, "--ledger", str(ledger)]
    if workload is not None:
        options += ["--workload", str(workload)]
    started = time.perf_counter()
    done = _perfwright("optimize", url, *options)
    seconds = time.perf_counter() - started
    if done.returncode not in {0, 1, 3} or not done.stdout:
        raise OptimizeError(f"perfwright optimize ended with exit code {done.returncode}")
    (work / f"{name}.json").write_text(done.stdout)
    document = json.loads(done.stdout)
    for experiment in document["experiments"]:
        say(f"  {experiment['verdict']:<12} {experiment['change']['summary']}")
    advice = work / f"{name}.sql"
    script = _perfwright(
        "report", document["run"], "--sql", "--show-literals", "--ledger", str(ledger)
    )
    advice.write_text(script.stdout)
    return Optimized(document, seconds, advice)


def _perfwright(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from perfwright.cli import main; main()", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)


def _load(path: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def versions(server: PrivateServer) -> str:
    """PostgreSQL's version, and its settings that bear on the numbers."""
    import psycopg

    with psycopg.connect(server.url()) as connection:
        row = connection.execute("SHOW server_version").fetchone()
        assert row is not None
    settings: Mapping[str, str] = server.settings
    quiet = ("shared_buffers", "max_parallel_workers_per_gather", "jit", "autovacuum", "fsync")
    return f"PostgreSQL {row[0]}; " + ", ".join(
        f"{k}={settings[k]}" for k in quiet if k in settings
    )
