"""TPC-H's 22 queries on PostgreSQL: how many are analysed, and what the advice is worth.

Analytics is the hard case for an index advisor: few calls, long plans, joins for which a scan is
often right, and queries that take minutes without the right index. Pages are no measure of time
here, so all runs are timed, and none may take longer than a limit, which is then its price.

    python benchmarks/tpch_postgresql.py [--scale 0.1] [--budget 5m] [--quick]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from _judge import OptimizeError, optimize, versions  # the folder of this script is on sys.path
from _postgres import QUIET, NoServerError, PrivateServer, private_server
from _shared import circumstances, say, table
from tpch_queries import QUERIES, SCHEMA

TABLES = ("region", "nation", "part", "supplier", "partsupp", "customer", "orders", "lineitem")
ANALYSED_SHARE = 0.95
LONGEST_S = 300.0
TEMPLATE, TARGET, JUDGED = "tpch_template", "tpch", "tpch_judged"
SETTINGS = {**QUIET, "max_wal_size": "8GB", "work_mem": "64MB"}


def main() -> int:
    arguments = parse()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="perfwright-tpch-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        with private_server(SETTINGS) as server:
            return run(server, work, arguments)
    except NoServerError as error:
        print(f"skipped: {error}")
        return 0
    finally:
        if arguments.work is None:
            shutil.rmtree(work)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.1, help="of TPC-H; 1 is a gigabyte")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for one query")
    parser.add_argument("--reps", type=int, default=3, help="rounds, interleaved")
    parser.add_argument("--budget", default="5m", help="of perfwright optimize")
    parser.add_argument("--scope", default="quick-win", choices=("quick-win", "comprehensive"))
    parser.add_argument("--work", type=Path, help="folder that is kept; default: a temporary one")
    parser.add_argument("--quick", action="store_true", help="scale 0.02, one round")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.scale, arguments.reps = min(arguments.scale, 0.02), 1
    return arguments


def run(server: PrivateServer, work: Path, arguments: argparse.Namespace) -> int:
    load(server, generate(work, arguments.scale))
    _copy(server, TARGET)
    workload = record(server, work / "workload.jsonl", limit_s=arguments.limit)
    print(circumstances("psycopg", "sqlglot", "tpchgen-cli"))
    print(f"{versions(server)}\nTPC-H, scale {arguments.scale:g}, {len(QUERIES)} queries\n")
    try:
        ours = optimize(
            server.url(TARGET),
            work,
            name="tpch",
            workload=workload,
            budget=arguments.budget,
            scope=arguments.scope,
        )
    except OptimizeError as error:
        print(f"FAIL  perfwright optimize gives a report: {error}")
        return 1
    advice = [one.strip() for one in _uncommented(ours.advice).split(";") if one.strip()]
    print(compared(server, advice, limit_s=arguments.limit, reps=arguments.reps))
    print(f"\nkept: {len(ours.kept)} of {len(ours.document['experiments'])} experiments")
    print(*(f"  {one['change']['summary']}" for one in ours.kept), sep="\n")
    for note in ours.document["notes"]:
        print(f"note: {note}")
    analysed = ours.summary.get("analysed_shapes", 0.0)
    share = analysed / len(QUERIES)
    bars = {
        f"at least {ANALYSED_SHARE:.0%} of the queries analysed": (
            share >= ANALYSED_SHARE,
            f"{analysed:.0f} of {len(QUERIES)} ({share:.0%})",
        ),
        f"at most {LONGEST_S:.0f} s": (ours.seconds <= LONGEST_S, f"{ours.seconds:.0f} s"),
    }
    print()
    for name, (met, got) in bars.items():
        print(f"{'PASS' if met else 'FAIL'}  {name}: {got}")
    return 0 if all(met for met, _got in bars.values()) else 1


def generate(work: Path, scale: float) -> Path:
    """Write the tables as CSV; what is there for this scale stays."""
    folder = work / f"data-{scale:g}"
    if not (folder / "lineitem.csv").exists():
        say(f"tpchgen-cli, scale {scale:g}")
        program = Path(sys.executable).with_name("tpchgen-cli")
        subprocess.run(
            [str(program), "csv", "-s", f"{scale:g}", f"--output-dir={folder}"],
            check=True,
            stdout=sys.stderr,
        )
    return folder


def load(server: PrivateServer, data: Path) -> None:
    """Fill the template database: keys, no other indexes."""
    say("load")
    _execute(server, "postgres", f"CREATE DATABASE {TEMPLATE}")
    with psycopg.connect(server.url(TEMPLATE), autocommit=True) as connection:
        for extension in ("pg_stat_statements", "pg_trgm", "pg_prewarm", "hypopg"):
            _try(connection, f"CREATE EXTENSION IF NOT EXISTS {extension}")
        connection.execute(SCHEMA)
        for name in TABLES:
            with (
                connection.cursor() as cursor,
                cursor.copy(f"COPY {name} FROM STDIN (FORMAT csv, HEADER)") as copy,
                (data / f"{name}.csv").open("rb") as file,
            ):
                while block := file.read(1 << 20):
                    copy.write(block)
        connection.execute("VACUUM (FREEZE, ANALYZE)")


def record(server: PrivateServer, path: Path, *, limit_s: float) -> Path:
    """Run each query once, and write what was sent with how long it took."""
    with psycopg.connect(server.url(TARGET), autocommit=True) as connection, path.open("w") as file:
        for number, sql in QUERIES.items():
            seconds = timed(connection, sql, limit_s=limit_s)
            say(f"Q{number}: {'over the limit' if seconds is None else f'{seconds:.2f} s'}")
            ms = 1000.0 * (limit_s if seconds is None else seconds)
            file.write(json.dumps({"sql": sql.strip(), "ms": round(ms, 3)}) + "\n")
    return path


def compared(server: PrivateServer, advice: Sequence[str], *, limit_s: float, reps: int) -> str:
    """Time each query with and without the advice, interleaved; what is over the limit once is
    not tried again."""
    _copy(server, JUDGED)
    with psycopg.connect(server.url(JUDGED), autocommit=True) as connection:
        for statement in advice:
            connection.execute(statement)
        connection.execute("ANALYZE")
    taken: dict[str, dict[int, list[float | None]]] = {TARGET: {}, JUDGED: {}}
    with (
        psycopg.connect(server.url(TARGET), autocommit=True) as before,
        psycopg.connect(server.url(JUDGED), autocommit=True) as after,
    ):
        for number, sql in QUERIES.items():
            say(f"Q{number}")
            for _round in range(reps):
                for name, connection in ((TARGET, before), (JUDGED, after)):
                    runs = taken[name].setdefault(number, [])
                    if None not in runs:
                        runs.append(timed(connection, sql, limit_s=limit_s))
    return _table(taken, limit_s=limit_s)


def _table(taken: Mapping[str, Mapping[int, list[float | None]]], *, limit_s: float) -> str:
    totals, rows = {TARGET: 0.0, JUDGED: 0.0}, []
    for number in QUERIES:
        middle = {}
        for name, runs in taken.items():
            known = [limit_s if one is None else one for one in runs[number]]
            middle[name] = limit_s if None in runs[number] else statistics.median(known)
            totals[name] += middle[name]
        ratio = middle[JUDGED] / middle[TARGET]
        shown = [_shown(middle[name], taken[name][number]) for name in (TARGET, JUDGED)]
        rows.append((f"Q{number}", *shown, f"{ratio:.2f}"))
    ratio = totals[JUDGED] / totals[TARGET]
    rows.append(("all", f"{totals[TARGET]:.2f}", f"{totals[JUDGED]:.2f}", f"{ratio:.2f}"))
    return table(("query", "without, s", "with advice, s", "ratio"), rows)


def _shown(seconds: float, runs: Sequence[float | None]) -> str:
    return f"> {seconds:.0f}" if None in runs else f"{seconds:.3f}"


def timed(connection: psycopg.Connection[Any], sql: str, *, limit_s: float) -> float | None:
    """Run a query and fetch its rows; None: stopped at the limit."""
    connection.execute(f"SET statement_timeout = {int(1000 * limit_s)}")
    started = time.perf_counter()
    try:
        connection.execute(sql).fetchall()
    except psycopg.errors.QueryCanceled:
        return None
    return time.perf_counter() - started


def _copy(server: PrivateServer, name: str) -> None:
    _execute(server, "postgres", f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")


def _execute(server: PrivateServer, database: str, statement: str) -> None:
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        connection.execute(statement)


def _try(connection: psycopg.Connection[Any], statement: str) -> None:
    try:
        connection.execute(statement)
    except psycopg.Error as error:
        say(f"{statement}: {str(error).splitlines()[0]}")


def _uncommented(script: Path) -> str:
    lines = script.read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("--"))


if __name__ == "__main__":
    sys.exit(main())
