"""Runs every part of perfwright's PostgreSQL engine on real servers of several versions.

    python benchmarks/postgresql_versions.py [--programs DIR ...] [--only CHECK] [--json]

Each version gets a private server with a small database of nearly everything that it offers. Every
check either passes, passes with what perfwright says is missing, or fails; any failure makes the
exit code 1. A folder of --programs holds initdb and postgres; without pg_dump and psql in it
nothing can be copied, which perfwright has to say.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psycopg
from _postgres import CHOSEN, DEBIAN, QUIET, private_server
from _shared import circumstances, say, table
from _version_checks import CHECKS, DATABASE, Stage, run_load
from _wide_schema import schema, write_workload


@dataclass(slots=True, kw_only=True)
class Result:
    """What came of one check."""

    version: str
    check: str
    outcome: str = "passed"
    """`passed`, `noted` where perfwright named what is missing, `failed`."""
    notes: list[str] = field(default_factory=list)


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
