"""Statements with their values out of a PostgreSQL log: stderr, csvlog or jsonlog.

Everything here is pure, and takes whatever a log may hold: half a first line, statements over many
lines, lines of other programs.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from perfwright.agents.database.postgresql.normalising import MARK, embedded, parameters_in
from perfwright.agents.database.postgresql.workload import Event
from perfwright.agents.database.workload import Execution

Format = Literal["stderr", "csvlog", "jsonlog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One message of the server."""

    level: str
    message: str
    detail: str = ""
    nested: bool = False
    """It has a context: the statement was sent by a function, not by the program."""
    session: str = ""
    transaction: str | None = None
    database: str = ""
    application: str = ""


@dataclass(slots=True)
class Parsed:
    """What a log told."""

    events: list[Event] = field(default_factory=list)
    records: int = 0
    without_values: int = 0
    """Executions whose parameters were not logged, or were cut."""


# --- From records to executions -------------------------------------------------------------------

_DURATION = re.compile(r"duration: (\d+(?:\.\d+)?) ms(?:  )?(.*)", re.DOTALL)
_STATEMENT = re.compile(r"statement: (.*)", re.DOTALL)
_EXECUTE = re.compile(r"execute (?!fetch from )([^:\n]*): (.*)", re.DOTALL)
_PLAN = re.compile(r"plan:\n(.*)", re.DOTALL)
_TEXT = re.compile(
    r"\s*Query Text: (.*?)(?=\n[^\n]*\(cost=|\nQuery (?:Parameters|Identifier): |\Z)", re.DOTALL
)
_LOGGED = re.compile(r"^Query Parameters: (.*)", re.MULTILINE)
_DETAIL = re.compile(r"parameters: (.*)", re.DOTALL | re.IGNORECASE)
_VALUE = re.compile(r"\$(\d+) = (?:(NULL)|'((?:[^']|'')*)')(?:, |\s*\Z)")
_BEGIN = re.compile(r"\s*(?:begin|start\s+transaction)\b", re.IGNORECASE)
_END = re.compile(r"\s*(?:commit|end|rollback|abort)\b(?!\s+to\b)", re.IGNORECASE)


@dataclass(slots=True)
class _Session:
    """The last execution of one session, and the transaction that it is in."""

    last: int | None = None
    """Place in the events of an execution that a later line may say more about."""
    planned: str | None = None
    """Text of an execution that auto_explain has logged already."""
    transaction: str | None = None


@dataclass(slots=True)
class Reader:
    """Turns records into executions, in the order of the log.

    Args:
        database: Only its records count, where the log tells databases apart.
        ignore: Name of an application whose records do not count.
    """

    database: str = ""
    ignore: str = ""
    parsed: Parsed = field(default_factory=Parsed)
    _sessions: dict[str, _Session] = field(default_factory=dict)
    _transactions: int = 0
    _dropped: set[int] = field(default_factory=set)

    def take(self, record: Record) -> None:
        """Take one record."""
        self.parsed.records += 1
        if self.database and record.database and record.database != self.database:
            return
        if self.ignore and record.application == self.ignore:
            return
        session = self._sessions.setdefault(record.session, _Session())
        if record.level in {"ERROR", "FATAL", "PANIC"}:
            self._take_error(session)
        elif not record.nested and record.level == "LOG":
            self._take_message(record, session)

    def result(self) -> Parsed:
        """Everything so far, statements that failed left out."""
        events = [e for place, e in enumerate(self.parsed.events) if place not in self._dropped]
        return replace(self.parsed, events=events)

    def _take_error(self, session: _Session) -> None:
        """The statement that was announced last has failed."""
        if session.last is not None and self.parsed.events[session.last].execution.ms is None:
            self._dropped.add(session.last)
        session.last = session.planned = None

    def _take_message(self, record: Record, session: _Session) -> None:
        timed = _DURATION.fullmatch(record.message)
        ms = float(timed[1]) if timed else None
        text = timed[2] if timed else record.message
        if timed and not text.strip():
            self._complete(session, ms)
        elif plan := _PLAN.fullmatch(text):
            self._take_plan(plan[1], record, session=session, ms=ms)
        elif statement := _STATEMENT.fullmatch(text):
            self._execution(statement[1], record, session=session, ms=ms, values=())
        elif execute := _EXECUTE.fullmatch(text):
            detail = _DETAIL.search(record.detail)
            values = _values(detail[1]) if detail else ()
            self._execution(execute[2], record, session=session, ms=ms, values=values)

    def _complete(self, session: _Session, ms: float | None) -> None:
        """The time of a statement that was logged before it ran."""
        if session.last is not None:
            event = self.parsed.events[session.last]
            if event.execution.ms is None:
                execution = replace(event.execution, ms=ms)
                self.parsed.events[session.last] = replace(event, execution=execution)
        session.last = None

    def _take_plan(self, plan: str, record: Record, *, session: _Session, ms: float | None) -> None:
        sql, parameters = _explained(plan)
        if sql and not self._is_announced(sql, session):
            values = _values(parameters) if parameters else ()
            self._execution(sql, record, session=session, ms=ms, values=values)
            session.planned = sql.strip()

    def _is_announced(self, sql: str, session: _Session) -> bool:
        """Whether log_statement has logged it already, so that its duration follows."""
        if session.last is None:
            return False
        known = self.parsed.events[session.last].execution
        return known.ms is None and known.sql.strip().rstrip(";") == sql.strip().rstrip(";")

    def _execution(
        self,
        sql: str,
        record: Record,
        *,
        session: _Session,
        ms: float | None,
        values: tuple[str | None, ...] | None,
    ) -> None:
        twice = session.planned is not None and session.planned == sql.strip()
        session.planned = None
        if MARK in sql:  # our own, from an earlier look
            return
        self._follow(sql, session)
        inner = embedded(sql)
        if inner != sql:  # its time is that of FETCH or EXECUTE, which do not name it
            sql, ms = inner, None
        numbers = parameters_in(sql)
        # Without its values a statement still tells what its text holds as constants.
        usable = max(numbers, default=0) <= len(values or ())
        self.parsed.without_values += not usable
        event = Event(
            execution=Execution(sql=sql, parameters=values or None, ms=ms),
            session=record.session,
            transaction=record.transaction or session.transaction,
            usable=usable,
        )
        if twice and session.last is not None:
            self._replace(session.last, event)
        else:
            self.parsed.events.append(event)
            session.last = len(self.parsed.events) - 1

    def _replace(self, place: int, event: Event) -> None:
        """The same execution, from auto_explain and from the log: keep what has the values."""
        if event.usable or not self.parsed.events[place].usable:
            self.parsed.events[place] = event

    def _follow(self, sql: str, session: _Session) -> None:
        if _BEGIN.match(sql):
            self._transactions += 1
            session.transaction = f"#{self._transactions}"
        elif _END.match(sql):
            session.transaction = None


def _values(text: str) -> tuple[str | None, ...] | None:
    """Read `$1 = 'x', $2 = NULL`; None when it does not read, or a value was cut."""
    found: list[str | None] = []
    end = 0
    for match in _VALUE.finditer(text):
        if match.start() != end or int(match[1]) != len(found) + 1:
            return None
        value = None if match[2] else match[3].replace("''", "'")
        if value is not None and value.endswith("..."):  # log_parameter_max_length
            return None
        found.append(value)
        end = match.end()
    return tuple(found) if found and end >= len(text.rstrip()) else None


def _explained(plan: str) -> tuple[str, str]:
    """Return statement and parameters out of what auto_explain wrote, as text or JSON."""
    if plan.lstrip().startswith("{"):
        try:
            document = json.loads(plan)
        except (ValueError, RecursionError):
            return "", ""
        sql = document.get("Query Text") if isinstance(document, dict) else None
        parameters = document.get("Query Parameters", "") if isinstance(document, dict) else ""
        return (sql, str(parameters)) if isinstance(sql, str) else ("", "")
    text = _TEXT.match(plan)
    logged = _LOGGED.search(plan)
    return (text[1] if text else "", logged[1] if logged else "")


# --- From lines to records ------------------------------------------------------------------------

_LEVELS = (
    "DEBUG[1-5]|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC"
    "|DETAIL|HINT|QUERY|CONTEXT|STATEMENT|LOCATION|BACKTRACE"
)
_PARTS = frozenset({"DETAIL", "HINT", "QUERY", "CONTEXT", "STATEMENT", "LOCATION", "BACKTRACE"})
_ESCAPES = {
    "a": r"(?P<application>.*?)",
    "u": r".*?",
    "d": r"(?P<database>.*?)",
    "r": r".*?",
    "h": r".*?",
    "b": r".*?",
    "p": r"(?P<pid>\d+)",
    "P": r"\d*",
    "t": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+",
    "m": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \S+",
    "n": r"\d+\.\d+",
    "Q": r"-?\d*",
    "i": r".*?",
    "e": r"\w{5}",
    "c": r"(?P<session>[0-9a-f]+\.[0-9a-f]+)",
    "l": r"\d+",
    "s": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+",
    "v": r"(?P<transaction>(?:\d+/\d+)?)",
    "x": r"\d+",
    "%": "%",
}
_ESCAPE = re.compile(r"%(-?\d+)?([a-zA-Z%])")
# For a log whose prefix nobody told: a process in brackets, perhaps user@database.
_ANY_PREFIX = re.compile(rf"(?P<head>[^\n]*?)(?P<level>{_LEVELS}):  (?P<text>.*)", re.DOTALL)
_PID = re.compile(r"\[(\d+)(?:-\d+)?\]|\b(\d{3,})\b(?=\s|$)")
_USER_AT = re.compile(r"(?:^|[\s,])(?:[^\s@,\[\]]+)@([^\s@,\[\]]+)")
_USER_IS = re.compile(r"\bdb=([^\s,]+)")


def prefix_pattern(prefix: str) -> re.Pattern[str] | None:
    """Turn `log_line_prefix` into what its lines match; None for an empty or unknown one."""
    parts: list[str] = []
    end, opened = 0, 0
    named: set[str] = set()
    for match in _ESCAPE.finditer(prefix):
        parts.append(re.escape(prefix[end : match.start()]))
        end = match.end()
        if match[2] == "q":  # background processes stop here
            parts.append("(?:")
            opened += 1
            continue
        piece = _ESCAPES.get(match[2], "")
        name = re.match(r"\(\?P<(\w+)>", piece)
        if name and name[1] in named:
            piece = ".*?"
        named |= {name[1]} if name else set()
        parts.append(rf"\s*{piece}\s*" if match[1] else piece)
    parts.append(re.escape(prefix[end:]) + ")?" * opened)
    if not named & {"pid", "session"}:
        return None
    return re.compile(f"{''.join(parts)}(?P<level>{_LEVELS}):  (?P<text>.*)", re.DOTALL)


def read_stderr(lines: Iterable[str], *, prefix: str = "") -> Iterator[Record]:
    """Yield the records of a plain log.

    Args:
        lines: Without their ends.
        prefix: The server's `log_line_prefix`, where it is known.
    """
    pattern = prefix_pattern(prefix) if prefix else None
    parse = _exactly(pattern) if pattern else _roughly
    record: Record | None = None
    part = ""
    for line in lines:
        if line.startswith("\t"):  # the server indents what follows a line break
            record = _longer(record, part, text="\n" + line[1:])
            continue
        found = parse(line)
        if found is None:
            part = ""  # another program's line, or half a line; what is indented below is its own
            continue
        part = found.level
        if part in _PARTS:
            same = record is not None and record.session == found.session
            record = _longer(record, part, text=found.message) if same else record
            part = part if same else ""
            continue
        if record is not None:
            yield record
        record = found
    if record is not None:
        yield record


def _longer(record: Record | None, part: str, *, text: str) -> Record | None:
    if record is None or not part:
        return record
    if part == "DETAIL":
        return replace(record, detail=record.detail + text)
    if part == "CONTEXT":
        return replace(record, nested=True)
    return record if part in _PARTS else replace(record, message=record.message + text)


def _exactly(pattern: re.Pattern[str]) -> Callable[[str], Record | None]:
    def parse(line: str) -> Record | None:
        match = pattern.match(line)
        if match is None:
            return None
        found = match.groupdict()
        return Record(
            level=found["level"],
            message=found["text"],
            session=found.get("session") or found.get("pid") or "",
            transaction=_transaction(found.get("transaction")),
            database=found.get("database") or "",
            application=found.get("application") or "",
        )

    return parse


def _roughly(line: str) -> Record | None:
    match = _ANY_PREFIX.match(line)
    if match is None:
        return None
    pid = _PID.search(match["head"])
    database = _USER_IS.search(match["head"]) or _USER_AT.search(match["head"])
    return Record(
        level=match["level"],
        message=match["text"],
        session=(pid[1] or pid[2]) if pid else "",
        database=database[1] if database else "",
    )


def _transaction(text: str | None) -> str | None:
    """A virtual transaction; `3/0` is none."""
    return text if text and not text.endswith("/0") else None


_CSV_COLUMNS = 23  # of version 9.0 and later; newer ones add at the end


def read_csvlog(text: str) -> Iterator[Record]:
    """Yield the records of a csvlog; `text` may begin in the middle of one."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    rows = csv.reader(io.StringIO(text, newline=""), strict=False)
    try:
        for row in rows:
            if len(row) >= _CSV_COLUMNS and row[3].isdigit():
                yield Record(
                    level=row[11],
                    message=row[13],
                    detail=row[14],
                    nested=bool(row[18]),
                    session=row[5],
                    transaction=_transaction(row[9]),
                    database=row[2],
                    application=row[22],
                )
    except csv.Error:  # a torn end
        return


def read_jsonlog(lines: Iterable[str]) -> Iterator[Record]:
    """Yield the records of a jsonlog (PostgreSQL 15 and later)."""
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and isinstance(entry.get("message"), str):
            yield Record(
                level=str(entry.get("error_severity", "")),
                message=entry["message"],
                detail=str(entry.get("detail", "")),
                nested=bool(entry.get("context")),
                session=str(entry.get("session_id") or entry.get("pid") or ""),
                transaction=_transaction(str(entry.get("vxid") or "")),
                database=str(entry.get("dbname", "")),
                application=str(entry.get("application_name", "")),
            )


_CSV_START = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [^,\n]+,(?:\"[^\"\n]*\")?,(?:\"[^\"\n]*\")?,\d+,",
    re.MULTILINE,
)
_STDERR_START = re.compile(r"^[^\n]*?\bLOG:  ", re.MULTILINE)


def format_of(text: str) -> Format | None:
    """Tell the format of a log by its content; None for what is no log of PostgreSQL."""
    head = text[:65_536]
    if _CSV_START.search(head):
        return "csvlog"
    for line in head.split("\n"):
        if line.startswith("{"):
            is_log = '"error_severity"' in line and '"message"' in line
            return "jsonlog" if is_log else None
    return "stderr" if _STDERR_START.search(head) else None


def whole_records(text: str, kind: Format) -> str:
    """Drop the half record that the tail of a log begins with."""
    if kind == "csvlog":
        start = _CSV_START.search(text)
        return text[start.start() :] if start else ""
    return text.partition("\n")[2]


def parse_log(
    text: str, *, kind: Format, prefix: str = "", database: str = "", ignore: str = ""
) -> Parsed:
    """Read the statements that a log holds; see `Reader` for the arguments."""
    reader = Reader(database=database, ignore=ignore)
    records: Iterator[Record]
    match kind:
        case "csvlog":
            records = read_csvlog(text)
        case "jsonlog":
            records = read_jsonlog(text.split("\n"))
        case "stderr":
            records = read_stderr(text.split("\n"), prefix=prefix)
        case _:
            assert_never(kind)
    for record in records:
        reader.take(record)
    return reader.result()
