"""Index advice for PostgreSQL by the tuner of `postgres-mcp`: another reference.

Installs the package into an environment of its own (it is no dependency of the project; it needs
Python 3.12 or newer), and asks its DatabaseTuningAdvisor twice: as its tool
`analyze_workload_indexes` does, from pg_stat_statements; and with one literal execution of each
shape, weighted as it weighs. Statements with which it fails are then left out, and named.

    python benchmarks/postgres_mcp_tuner.py postgresql://... workload.jsonl
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _shared import say  # the folder of this script is on sys.path
from greedy_hypopg import group

PACKAGE = "postgres-mcp==0.3.0"
OVERRIDES = "pglast>=7,<8\nmcp<2\n"
"""It asks for pglast 7.2.0 exactly, which is not published for all interpreters; and it was
written for the first major version of mcp."""
CACHE = Path(tempfile.gettempdir()) / "perfwright-bench-postgres-mcp"
TIMEOUT_S = 900.0
NEWER = ("python3.14", "python3.13", "python3.12")

_CHILD = """
import asyncio, json, logging, sys, time
from postgres_mcp.index.dta_calc import DatabaseTuningAdvisor
from postgres_mcp.sql import DbConnPool, SqlDriver

logging.disable(logging.CRITICAL)
request = json.load(sys.stdin)


async def tune(driver, **options):
    started = time.perf_counter()
    try:
        session = await DatabaseTuningAdvisor(driver).analyze_workload(**options)
        error = session.error
        sql = [one.definition for one in session.recommendations]
    except Exception as failure:
        sql, error = [], f"{type(failure).__name__}: {failure}"
    return {"sql": sql, "error": error, "seconds": time.perf_counter() - started}


async def plannable(driver, entry):
    advisor = DatabaseTuningAdvisor(driver)
    try:
        ready = await advisor._validate_and_parse_workload([dict(entry)])
        weights = advisor._covert_workload_to_query_weights(ready)
        await advisor.generate_candidates(weights, set())
        await advisor._evaluate_configuration_cost(weights, frozenset()) if weights else None
    except Exception:
        return False
    return True


async def main():
    pool = DbConnPool(request["url"])
    await pool.pool_connect()
    driver = SqlDriver(conn=pool)
    size = {"max_index_size_mb": 10000}
    tool = await tune(driver, min_calls=50, min_avg_time_ms=5.0, limit=100, **size)
    literal = await tune(driver, workload=[dict(one) for one in request["workload"]], **size)
    left_out = []
    if literal["error"]:
        fit = []
        for entry in request["workload"]:
            (fit.append if await plannable(driver, entry) else left_out.append)(entry)
        spared = await tune(driver, workload=[dict(one) for one in fit], **size)
    else:
        spared = literal
    await pool.close()
    print(json.dumps({"tool": tool, "literal": literal, "spared": spared,
                      "left_out": [one["query"] for one in left_out]}))


asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Advice:
    """What one way of asking gave."""

    sql: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0
    left_out: tuple[str, ...] = field(default=())
    """Statements with which it fails."""


class NotInstalledError(RuntimeError):
    """The package cannot be had here."""


def advise(url: str, workload: Path) -> dict[str, Advice]:
    """Ask in both ways; `literals` leaves out the statements with which it fails.

    Raises:
        NotInstalledError: If the package does not install.
    """
    python = install()
    request = {"url": url, "workload": weighted(workload)}
    try:
        done = subprocess.run(
            [str(python), "-c", _CHILD],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"tool": Advice(error=f"no answer within {TIMEOUT_S:.0f} s")}
    if done.returncode:
        return {"tool": Advice(error=(done.stderr.strip().splitlines() or ["failed"])[-1])}
    answer = json.loads(done.stdout)
    return {
        "tool": _advice(answer["tool"]),
        "literals": _advice(answer["literal"]),
        "literals, failing left out": _advice(answer["spared"], left_out=answer["left_out"]),
    }


def _advice(answer: dict[str, Any], *, left_out: list[str] | None = None) -> Advice:
    sql = tuple(f"{one};" for one in answer["sql"])
    return Advice(sql, answer["error"] or "", answer["seconds"], tuple(left_out or ()))


def weighted(workload: Path) -> list[dict[str, Any]]:
    """One literal execution of each reading shape, with its calls and mean time."""
    lines = [json.loads(line) for line in workload.read_text().splitlines()]
    taken = {line["sql"]: line["ms"] for line in lines}
    return [
        {
            "query": shape.samples[0],
            "queryid": str(number),
            "calls": shape.calls,
            "avg_exec_time": sum(taken[sql] for sql in shape.samples) / len(shape.samples),
        }
        for number, shape in enumerate(group(line["sql"] for line in lines))
        if shape.samples[0].lstrip().lower().startswith(("select", "with"))
    ]


def install() -> Path:
    """Return the interpreter of an environment that has the package; made once.

    Raises:
        NotInstalledError: If it cannot be made.
    """
    python = CACHE / "bin" / "python"
    probe = [str(python), "-c", "import postgres_mcp.index.dta_calc"]
    if python.exists() and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return python
    shutil.rmtree(CACHE, ignore_errors=True)
    say(f"installing {PACKAGE} into {CACHE}")
    uv = [sys.executable, "-m", "uv"]
    _run([*uv, "venv", "--quiet", "--no-python-downloads", "-p", str(_interpreter()), str(CACHE)])
    overrides = CACHE / "overrides.txt"
    overrides.write_text(OVERRIDES)
    _run([*uv, "pip", "install", "-p", str(python), PACKAGE, "--override", str(overrides)])
    _run(probe)
    return python


def _interpreter() -> Path:
    """The first Python 3.12 or newer that starts: on PATH, or kept by pyenv."""
    on_path = (shutil.which(name) for name in NEWER)
    kept = (Path.home() / ".pyenv" / "versions").glob("3.1[2-9].*/bin/python")
    for found in (*(Path(one) for one in on_path if one), *kept):
        if subprocess.run([str(found), "-V"], capture_output=True, check=False).returncode == 0:
            return found
    raise NotInstalledError("it needs Python 3.12 or newer, and there is none")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NotInstalledError(f"{' '.join(command[:5])} ...: {last.strip()}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="postgresql://...; needs hypopg and pg_stat_statements")
    parser.add_argument("workload", type=Path, help='JSON lines with "sql" and "ms"')
    parser.add_argument("--quick", action="store_true", help="only see whether it installs")
    arguments = parser.parse_args()
    try:
        if arguments.quick:
            print(install())
            return 0
        answers = advise(arguments.url, arguments.workload)
    except NotInstalledError as error:
        print(f"skipped: {error}")
        return 0
    for name, advice in answers.items():
        print(f"-- {name}: {advice.seconds:.0f} s; {advice.error or 'no error'}")
        print(*(f"-- left out: {sql[:100]}" for sql in advice.left_out), *advice.sql, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
