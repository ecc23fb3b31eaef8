"""Small databases with known faults, workloads, and ledgers with proven changes."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

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
from perfwright.experiments.ledger import Ledger, RunRecord, RunStatus

LOOKUP = "SELECT id, total FROM orders WHERE customer = ?"
RUN = "proven"


def make_shop(path: Path, *, rows: int = 500) -> Path:
    """Write a table of orders; nothing helps to find those of a customer."""
    rng = random.Random(1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INT, state TEXT, total REAL,"
            " note TEXT)"
        )
        connection.executemany(
            "INSERT INTO orders(customer, state, total, note) VALUES (?, ?, ?, ?)",
            (
                (rng.randrange(rows // 10), rng.choice("abc"), rng.random(), "x" * 100)
                for _ in range(rows)
            ),
        )
        connection.commit()
    return path


def make_workload(path: Path, *, customers: int = 50, calls: int = 30) -> Path:
    """Write lookups by customer as JSON lines."""
    rng = random.Random(2)
    return write_lines(
        path, ({"sql": LOOKUP, "params": [rng.randrange(customers)]} for _ in range(calls))
    )


def write_lines(path: Path, entries: Iterable[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return path


def make_proven(
    folder: Path, target: Path, *statements: str, run: str = RUN, target_name: str = ""
) -> Path:
    """Write a ledger in which a finished run has proven one change for each statement."""
    ledger = Ledger(folder / ".perfwright" / "ledger.db", clock=SystemClock())
    record = RunRecord(
        id=run,
        command="optimize",
        target=target_name or f"sqlite:///{target.absolute()}",
        started=SystemClock().today(),
        status=RunStatus.FINISHED,
    )
    ledger.begin_run(record)
    for number, statement in enumerate(statements, start=1):
        verdict = Verdict(outcome=Outcome.KEPT, reason="prepared")
        ledger.add_experiment(run, prepared(f"{run}.{number}", target, statement, verdict))
    ledger.close()
    return folder / ".perfwright" / "ledger.db"


def prepared(identifier: str, target: Path, statement: str, verdict: Verdict) -> ExperimentRecord:
    return ExperimentRecord(
        id=identifier,
        proposal=Proposal(
            layer=Layer.DATABASE,
            remedy="prepared",
            change=spec_from_sql(target, statement),
            predicted=Prediction(metric="workload", ratio=0.5, gain=1.0),
            risk=Risk.LOW,
            scope=Scope.QUICK_WIN,
        ),
        verdict=verdict,
    )


def dump(path: Path) -> str:
    """Every object and every row, statistics included, in one canonical order."""
    with closing(sqlite3.connect(path)) as connection:
        objects = connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        ).fetchall()
        rows = {
            name: sorted(map(repr, connection.execute(f'SELECT * FROM "{name}"')))
            for kind, name, _, _ in objects
            if kind == "table"
        }
    return json.dumps([objects, rows])


def indexes(path: Path) -> set[str]:
    """The names of all indexes."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")
        return {name for (name,) in rows}
