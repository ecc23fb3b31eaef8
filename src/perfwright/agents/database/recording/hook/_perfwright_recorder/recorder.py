"""Turns executions into lines and decides which are written."""

# ruff: noqa: PLR0917 - `quietly` hands arguments on by place
# ruff: noqa: TID252 - the package goes by another name in the program

from __future__ import annotations

from _sqlite3 import complete_statement
from json.encoder import encode_basestring_ascii
from time import perf_counter

from .encoding import encode_parameters
from .output import Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

MAX_BATCH_LINES = 100  # of one executemany; the last line counts for the others
MAX_OPEN = 1_000  # cursors that the program leaves unread
MAX_SCRIPT_LETTERS = 1_000_000  # longer scripts stay in one piece
_MAX_TEXTS = 1_000


class Entry:
    """A statement whose rows are still being fetched."""

    __slots__ = ("database", "parameters", "seconds", "sql")

    def __init__(self, database: str, sql: str, parameters: str, seconds: float) -> None:
        self.database, self.sql, self.parameters = database, sql, parameters
        self.seconds = seconds


class Batch:
    """The parameter rows of one executemany, seen as they pass."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.count = 0
        self.outside_s = 0.0
        """What the program took to produce them."""

    def watch(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments with rows that are counted."""
        if len(args) != 2 or not hasattr(args[1], "__iter__"):
            return args  # the real one has the better error
        if isinstance(args[1], (list, tuple)):
            self.rows, self.count = list(args[1][:MAX_BATCH_LINES]), len(args[1])
            return args
        return args[0], self._pass(args[1])

    def _pass(self, rows: Any) -> Iterator[Any]:
        start = perf_counter()
        for row in rows:
            if self.count < MAX_BATCH_LINES:
                self.rows.append(row.copy() if type(row) in (list, dict) else row)
            self.count += 1
            self.outside_s += perf_counter() - start
            yield row
            start = perf_counter()
        self.outside_s += perf_counter() - start


class Recorder:
    """The recorder of one process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._output = Output(environ["PERFWRIGHT_RECORD_DIR"])
        self._limit = int(environ["PERFWRIGHT_RECORD_LIMIT"])
        self._with_values = environ["PERFWRIGHT_RECORD_VALUES"] == "1"
        self._only = environ.get("PERFWRIGHT_RECORD_DB") or None
        self._recorded = 0
        self._tallies: dict[str, int] = {}
        self._open: dict[int, Entry] = {}
        self._texts: dict[str, str] = {}

    def open(self, database: str | None, args: tuple[Any, ...], seconds: float) -> Entry | None:
        """Take one execution; None if it is not to be recorded.

        Args:
            database: What the connection is of.
            args: The statement, and its parameters if there are any.
            seconds: What it took so far.
        """
        if database is None or not self._is_wanted(database, 1):
            return None
        sql = args[0]
        parameters = "[]"
        if len(args) > 1 and self._with_values:
            parameters = encode_parameters(sql, args[1])
        entry = Entry(database, sql, parameters, seconds)
        if len(self._open) >= MAX_OPEN:
            self.finish(next(iter(self._open.values())))
        self._open[id(entry)] = entry
        return entry

    def finish(self, entry: Entry) -> None:
        """Write the line of an execution, unless that was done or another process does it."""
        if self._open.pop(id(entry), None) is not None:
            tail = self._tail(entry.database, entry.seconds)
            self._output.write(self._head(entry.sql) + entry.parameters + tail)

    def add_batch(self, database: str | None, sql: str, batch: Batch, seconds: float) -> None:
        """Write the lines of an executemany: each with the mean time of an execution."""
        lines = len(batch.rows)
        if database is None or not lines or not self._is_wanted(database, lines):
            return
        mean_s = max(0.0, seconds - batch.outside_s) / batch.count
        head, tail = self._head(sql), self._tail(database, mean_s)
        rows = [encode_parameters(sql, row) if self._with_values else "[]" for row in batch.rows]
        text = [head + row + tail for row in rows]
        rest = batch.count - lines + 1
        if rest > 1:
            text[-1] = f'{head}{rows[-1]}, "count": {rest}{tail}'
        self._output.write("".join(text))

    def add_script(self, database: str | None, script: str, seconds: float) -> None:
        """Write the lines of an executescript: each with an equal share of its time."""
        if database is None:
            return
        statements = list(split_script(script))
        if statements and self._is_wanted(database, len(statements)):
            tail = self._tail(database, seconds / len(statements))
            self._output.write("".join([self._head(sql) + "[]" + tail for sql in statements]))

    def tally(self, name: str, *, more: int = 1) -> None:
        """Count what is not recorded; written when the count passes 1, 2, 4, 8..., and at the end.

        So it costs next to nothing, and a program that is killed has lost less than half.
        """
        before = self._tallies.get(name, 0)
        count = self._tallies[name] = before + more
        if count.bit_length() > before.bit_length():
            self._output.write(f"!{name} {count}\n")

    def forget(self) -> None:
        """Start afresh in a forked child: what is open is the parent's to write."""
        self._output.forget()
        self._open.clear()
        self._tallies.clear()

    def close(self) -> None:
        """Write what is still open, at the end of the process."""
        for entry in list(self._open.values()):
            self.finish(entry)
        for name, count in self._tallies.items():
            self._output.write(f"!{name} {count}\n")

    def _is_wanted(self, database: str, lines: int) -> bool:
        if self._only is not None and database != self._only:
            self.tally("elsewhere", more=lines)
            return False
        if self._recorded >= self._limit:
            self.tally("over", more=lines)
            return False
        self._recorded += lines
        return True

    def _head(self, sql: str) -> str:
        head = self._texts.get(sql)
        if head is None:
            if len(self._texts) >= _MAX_TEXTS:
                self._texts.clear()
            head = self._texts[sql] = f'{{"sql": {encode_basestring_ascii(sql)}, "params": '
        return head

    def _tail(self, database: str, seconds: float) -> str:
        return f', "ms": {seconds * 1_000:.3f}, "db": {encode_basestring_ascii(database)}}}\n'


def split_script(script: str) -> Iterator[str]:
    """Yield the statements of a script; a very long one whole, since finding the ends is slow."""
    if len(script) > MAX_SCRIPT_LETTERS:
        yield script
        return
    statement = ""
    *pieces, last = script.split(";")
    for piece in pieces:
        statement += piece + ";"
        if complete_statement(statement):
            if statement.strip(" \t\r\n;"):
                yield statement.strip()
            statement = ""
    if (statement + last).strip(" \t\r\n;"):
        yield (statement + last).strip()
