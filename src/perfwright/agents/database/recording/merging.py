"""Puts the lines that the recorded processes left into one workload file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfwright.agents.database.recording.rewriting import hide_values, write_out_blobs
from perfwright.agents.database.workload import Execution, ShapeCollector

MAX_TEXTS = 20_000  # more are not looked at for their shape, which takes about 50 us each


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What was recorded, and what was not."""

    out: Path
    exit_code: int
    """Of the program, or 128 and the number of the signal that ended it."""
    statements: int = 0
    shapes: int = 0
    """Distinct statements that read or write rows, apart from their values."""
    shapes_counted: bool = True
    """False: there are more."""
    databases: tuple[tuple[str, int], ...] = ()
    """Path and statements of each, most first."""
    failed: int = 0
    """Executions that raised an error in the program."""
    elsewhere: int = 0
    """Executions on other databases than the one asked for."""
    over_limit: int = 0
    torn: int = 0
    """Lines cut short by the end of a process or a full disk."""
    errors: int = 0
    """Times that the recorder itself failed."""
    first_error: str = ""
    saw_python: bool = False
    saw_sqlite3: bool = False


@dataclass(slots=True, kw_only=True)
class Merger:
    """Reads the files of one recording and writes their lines.

    Args:
        limit: Lines to write at most.
        with_values: False: parameters and literals are left out.
    """

    limit: int
    with_values: bool
    statements: int = 0
    torn: int = 0
    tallies: Counter[str] = field(default_factory=Counter)
    databases: Counter[str] = field(default_factory=Counter)
    _lines: int = 0
    _texts: dict[str, str] = field(default_factory=dict)

    def lines(self, files: Iterable[Path]) -> Iterator[str]:
        """Yield the statements of `files`, in this order, as lines of JSON."""
        for file in files:
            for entry in self._entries(file):
                count = entry.get("count", 1)
                if self._lines >= self.limit:
                    self.tallies["over"] += count
                    continue
                self._lines += 1
                self.statements += count
                self.databases[entry["db"]] += count
                yield json.dumps(entry) + "\n"

    def count_shapes(self) -> tuple[int, bool]:
        """Return the number of distinct shapes, and whether all statements were looked at."""
        collector = ShapeCollector()
        for text in self._texts.values():
            collector.add(Execution(sql=text))
        return len(collector.shapes()), len(self._texts) < MAX_TEXTS

    def _entries(self, file: Path) -> Iterator[dict[str, Any]]:
        tallies: dict[str, int] = {}
        with file.open(encoding="ascii", errors="replace") as lines:
            for line in lines:
                try:
                    if line.startswith("!"):
                        name, amount = line[1:].split()
                        tallies[name] = int(amount)  # each replaces the one before
                    else:
                        yield self._rewritten(json.loads(line))
                except (ValueError, IndexError, KeyError):
                    self.torn += 1
        self.tallies.update(tallies)

    def _rewritten(self, entry: dict[str, Any]) -> dict[str, Any]:
        sql, values = entry["sql"], entry.pop("params")
        if not self.with_values:
            return {**entry, "sql": self._seen(sql)}
        if any(isinstance(value, dict) for value in _plain(values)):
            sql, values = write_out_blobs(sql, values)
        self._seen(entry["sql"])
        return {"sql": sql, "params": values, **{k: v for k, v in entry.items() if k != "sql"}}

    def _seen(self, sql: str) -> str:
        """Return the statement as it is written, and remember it."""
        text = self._texts.get(sql)
        if text is None:
            text = sql if self.with_values else hide_values(sql)
            if len(self._texts) < MAX_TEXTS:
                self._texts[sql] = text
        return text


def _plain(values: Any) -> Iterable[object]:
    return values.values() if isinstance(values, dict) else values
