"""Index advice for SQLite on a mixed workload, beside the SQLite shell's `.expert`.

Builds a practice data set, lets perfwright and `.expert` see the same workload, applies what
each advises to fresh copies, and counts virtual-machine steps of reads (the same on every
machine), index bytes, write time and bad advice. `benchmarks/db/dbbench.py` does the judging.

    python benchmarks/database_sqlite.py [--dataset desk] [--work DIR] [--reps 3]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _shared import circumstances, table  # the folder of this script is on sys.path

HERE = Path(__file__).parent
JUDGE = HERE / "db" / "dbbench.py"
BARS = {"steps": 1.0, "bytes": 0.5, "writes": 1.10}


def main() -> int:
    arguments = parse()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="perfwright-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(work, arguments.dataset)
    bench.run("build")
    bench.run("prepare", "--workdir", str(work))
    database, workload = work / f"{arguments.dataset}_tpl.db", work / "workload.jsonl"
    seconds = advise(database, workload, work / "perfwright.sql", budget=arguments.budget)
    expert(database, workload, work / "expert.sql")
    report = work / "result.json"
    bench.run(
        "eval",
        "--reps",
        str(arguments.reps),
        "--advice",
        f"perfwright={work / 'perfwright.sql'}",
        "--advice",
        f"expert={work / 'expert.sql'}",
        "--out",
        str(report),
    )
    result = json.loads(report.read_text())
    print(circumstances("sqlglot"))
    print(f"data set {arguments.dataset}; perfwright optimize took {seconds:.0f} s\n")
    print(summary(result))
    return verdict(result)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="desk")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--budget", default="10m")
    return parser.parse_args()


class Bench:
    """The judge as a child process."""

    def __init__(self, work: Path, dataset: str) -> None:
        self._environment = {**os.environ, "DBB_DIR": str(work), "DBB_STEPS": "1"}
        self._dataset = dataset

    def run(self, command: str, *options: str) -> None:
        argv = [sys.executable, str(JUDGE), command, self._dataset, "--engine", "sqlite", *options]
        print("+", *argv[1:], file=sys.stderr, flush=True)
        subprocess.run(argv, env=self._environment, check=True, stdout=sys.stderr)


def advise(database: Path, workload: Path, advice: Path, *, budget: str) -> float:
    """Let perfwright optimize a copy-on-read target; write the SQL of what it kept."""
    ledger = advice.with_suffix(".ledger.db")
    for leftover in ledger.parent.glob(f"{ledger.name}*"):
        leftover.unlink()
    command = [sys.executable, "-c", "from perfwright.cli import main; main()"]
    options = ["--ledger", str(ledger), "--workload", str(workload), "--budget", budget]
    done = subprocess.run(
        [*command, "optimize", str(database), "--json", "--scope", "comprehensive", *options],
        stdout=subprocess.PIPE,
        check=False,
    )
    document = json.loads(done.stdout)
    for experiment in document["experiments"]:
        print(experiment["verdict"], experiment["change"]["summary"], file=sys.stderr)
    script = subprocess.run(
        [*command, "report", document["run"], "--sql", "--ledger", str(ledger)],
        capture_output=True,
        text=True,
        check=True,
    )
    advice.write_text(script.stdout)
    return float(document["spent"]["time"])


def expert(database: Path, workload: Path, advice: Path) -> None:
    """Ask the SQLite shell's `.expert` about one statement of every shape; merge its answers."""
    shell = shutil.which("sqlite3")
    if shell is None:
        sys.exit("the sqlite3 shell is not on PATH (Debian: apt-get install sqlite3)")
    shapes: dict[str, str] = {}
    for line in workload.read_text().splitlines():
        sql = json.loads(line)["sql"]
        shapes.setdefault(re.sub(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b", "?", sql), sql)
    indexes: dict[str, None] = {}
    for sql in shapes.values():
        answer = subprocess.run(
            [shell, str(database)],
            input=f".expert\n{sql};\n",
            capture_output=True,
            text=True,
            check=False,
        )
        indexes |= dict.fromkeys(re.findall(r"^CREATE INDEX .*?;", answer.stdout, re.MULTILINE))
    advice.write_text("\n".join([*indexes, "ANALYZE;\n"]))


def summary(result: dict[str, Any]) -> str:
    base = result["baseline"]
    header = ("", "read steps", "left", "index MB", "write time", "new", "decoys", "bad", "wrong")
    rows: list[tuple[object, ...]] = [
        ("baseline", f"{base['read_pages']:,}", "100 %", "", "1.00", "", "", "", "")
    ]
    for name in ("expert", "perfwright"):
        one = result[name]
        left = 1.0 / one["read_pages_ratio"]
        rows.append(
            (
                ".expert" if name == "expert" else name,
                f"{left * base['read_pages']:,.0f}",
                f"{100 * left:.2f} %",
                f"{one['index_mb_delta']:+.1f}",
                f"{one['write_ratio']:.2f} (cpu {one['write_cpu_ratio']:.2f})",
                one["new_indexes"],
                one["decoys_fixed"],
                one["bad_advice"],
                ", ".join(one["wrong_results"]) or "none",
            )
        )
    return "\n".join([table(header, rows), "", *_details(result)])


def _details(result: dict[str, Any]) -> list[str]:
    kinds = ("protected_dropped", "no_index_table_hits", "unused_new", "redundant_new", "slower")
    return [
        f"{name}: {kind}: {', '.join(map(str, result[name][kind]))}"
        for name in ("expert", "perfwright")
        for kind in kinds
        if result[name][kind]
    ]


def verdict(result: dict[str, Any]) -> int:
    ours, theirs = result["perfwright"], result["expert"]
    bars = {
        "fewer steps left than .expert": ours["read_pages_ratio"] > theirs["read_pages_ratio"],
        "at most half of its index bytes": ours["index_mb_delta"]
        <= BARS["bytes"] * theirs["index_mb_delta"],
        "no index where writes dominate": not ours["no_index_table_hits"],
        "write phase <= 1.10x": min(ours["write_ratio"], ours["write_cpu_ratio"]) <= BARS["writes"],
        "no protected index dropped": not ours["protected_dropped"],
        "no wrong result": not ours["wrong_results"],
    }
    print()
    for name, met in bars.items():
        print(f"{'met' if met else 'MISSED':<8}{name}")
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
