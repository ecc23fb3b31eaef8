"""Runs a case under each profiler, and makes rankings of what it saw."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _localisation_cases import HERE, STORE, Case, Laid, Version, lay
from _localisation_scores import Entry, Ranking, Row, charged, ranked, rows_of_stacks
from _rivals import environment, interpreter

LIMIT_S = 180.0
RIVALS = "localisation"
RATE_HZ = 100
_FRAME = re.compile(r"^(?P<function>.*) \((?P<file>.*):(?P<line>\d+)\)$")


class FailedError(Exception):
    """A workload did not end as it should; says what it wrote."""


def command(laid: Laid, profiler: str, out: Path, **more: Any) -> list[str]:
    """Return the command line of the process that runs a case."""
    config = {"path": laid.path, "own": laid.own, "profiler": profiler, "out": str(out), **more}
    ours = profiler in {"perfwright", "none", "tracemalloc"}
    python = sys.executable if ours else str(interpreter(RIVALS))
    return [python, str(HERE / "child.py"), json.dumps(config)]


def variables() -> dict[str, str]:
    """Return the environment of a workload's process: nobody's secrets."""
    return environment() | {
        "PYTHONPYCACHEPREFIX": str(STORE / "bytecode"),  # leaves the folders of the cases alone
        "PYTHONHASHSEED": "0",  # both versions see the same order of sets
    }


def run_child(case: Case, version: Version, profiler: str, **more: Any) -> dict[str, Any]:
    """Run one version of a case under a profiler that works in its process.

    Raises:
        FailedError: If it fails or takes longer than `LIMIT_S`.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "answer.json"
        try:
            done = subprocess.run(
                command(lay(case, version), profiler, out, **more),
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
                env=variables(),
                cwd=folder,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise FailedError(f"longer than {LIMIT_S:.0f} s") from error
        if done.returncode or not out.exists():
            raise FailedError(f"exit {done.returncode}: {done.stderr.strip()[-2000:]}")
        answer: dict[str, Any] = json.loads(out.read_text())
        return answer


def py_spy_stacks(case: Case, version: Version) -> list[tuple[list[Row], float]]:
    """Sample one version of a case from outside, from just before its workload to its end.

    Raises:
        FailedError: If the workload fails, py-spy cannot attach, or it takes longer than `LIMIT_S`.
    """
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        with _waiting_child(case, version, Path(folder)) as child:
            said = _record(child, raw)
        if raw.exists():
            return [parse_stack(line) for line in raw.read_text().splitlines()]
        if "No stack counts" in said:  # it stood still from its start to its end
            return []
        raise FailedError(f"py-spy: {said[-500:]}")


@contextmanager
def _waiting_child(case: Case, version: Version, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a case up to the point where it waits for a profiler to attach."""
    with (folder / "errors").open("w+") as errors:
        child = subprocess.Popen(
            command(lay(case, version), "py-spy", folder / "answer.json"),
            env=variables(),
            cwd=folder,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            if not child.stdout.readline():
                errors.seek(0)
                raise FailedError(f"exit {child.wait()}: {errors.read()[-2000:]}")
            yield child
        finally:
            child.kill()
            child.wait()


def _record(child: subprocess.Popen[str], raw: Path) -> str:
    """Attach, let the workload go, and wait until it has ended; returns what py-spy wrote."""
    spy = [str(interpreter(RIVALS).with_name("py-spy")), "record", "--format", "raw"]
    limits = ["--rate", str(RATE_HZ), "--duration", str(int(LIMIT_S)), "--full-filenames"]
    recorder = subprocess.Popen(
        [*spy, *limits, "--pid", str(child.pid), "--output", str(raw)],
        text=True,
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
    )
    try:
        for line in recorder.stdout:
            if "Sampling process" in line:  # it has attached
                break
        child.stdin.write("go\n")
        child.stdin.close()
        said, _ = recorder.communicate(timeout=LIMIT_S)
        child.wait(timeout=LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise FailedError(f"longer than {LIMIT_S:.0f} s") from error
    finally:
        recorder.kill()
        recorder.wait()
    return said


def parse_stack(line: str) -> tuple[list[Row], float]:
    """Read `outer (file:line);inner (file:line) count`."""
    stack, _, count = line.rpartition(" ")
    frames = []
    for text in stack.split(";"):
        found = _FRAME.match(text)
        if found:
            frames.append({**found.groupdict(), "line": int(found["line"])})
        else:  # a thread's or a process's name
            frames.append({"file": "~", "line": 0, "function": text})
    return frames, float(count)


def ours(case: Case, version: Version, **options: Any) -> dict[str, Ranking]:
    rows = run_child(case, version, "perfwright", options=options)["rows"]
    return {"": [Entry(row["file"], row["function"], row["kind"]) for row in rows]}


def tabular(profiler: str) -> Callable[[Case, Version], dict[str, Ranking]]:
    """Rankings of a profiler that gives a self time and a cumulative time by function."""

    def rank(case: Case, version: Version) -> dict[str, Ranking]:
        rows, own = run_child(case, version, profiler)["rows"], lay(case, version).own
        return _four(rows, own)

    return rank


def _four(rows: list[Row], own: Sequence[str]) -> dict[str, Ranking]:
    return {
        " self": ranked(rows, "self"),
        " cumulative": ranked(rows, "cumulative"),
        " self, own": ranked(rows, "self", own=own),
        " cumulative, own": ranked(rows, "cumulative", own=own),
    }


def py_spy(case: Case, version: Version) -> dict[str, Ranking]:
    stacks, own = py_spy_stacks(case, version), lay(case, version).own
    rankings = _four(rows_of_stacks(stacks), own)
    rankings[" self, charged"] = ranked(charged(stacks, own), "self", own=own)
    return rankings


PROFILERS: dict[str, Callable[[Case, Version], dict[str, Ranking]]] = {
    "ours": ours,
    "ours, sampling": lambda case, version: ours(case, version, mode="sampling"),
    "cProfile": tabular("cProfile"),
    "pyinstrument": tabular("pyinstrument"),
    "yappi": tabular("yappi"),
    "py-spy": py_spy,
}
