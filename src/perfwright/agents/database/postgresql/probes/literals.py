"""Where the workload of a server comes from: its counters, its sessions, its log, or a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from perfwright.agents.database.artifacts import Counters, Repetition, Shape
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.naming import quote
from perfwright.agents.database.postgresql.logparsing import Parsed, format_of, parse_log
from perfwright.agents.database.postgresql.normalising import key_of, masked, parameters_in
from perfwright.agents.database.postgresql.probes.connection import NAME
from perfwright.agents.database.postgresql.probes.drawing import Drawn, draw_missing
from perfwright.agents.database.postgresql.probes.logs import Logged, read_log
from perfwright.agents.database.postgresql.probes.sampling import Watched, watch
from perfwright.agents.database.postgresql.probes.statements import (
    Counted,
    Entry,
    Missing,
    difference,
    read_statements,
)
from perfwright.agents.database.postgresql.repeating import Repetitions
from perfwright.agents.database.postgresql.workload import (
    MAX_SHAPES,
    Collected,
    Event,
    Gathered,
    Gatherer,
    Total,
    join,
    uncovered,
    with_order,
    with_times,
    without_counters,
)
from perfwright.agents.database.workload import load_workload, split_statements, tokenize
from perfwright.agents.database.workload.styles import StyleError, numbered
from perfwright.core import Clock, ConfigError, Progress

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

MAX_NOTED = 3
MIN_WINDOW_S = 30.0  # what is counted in less time stands for no day
MIN_TOGETHER = 2.0
SMALL_SHARE = 0.01  # of the time; what is below is not worth a note


def collect_workload(
    connection: Connection,
    *,
    catalog: Catalog,
    workload: Path | None,
    watch_s: float,
    clock: Clock,
    progress: Progress,
) -> Collected:
    """Find out which statements a database executes, how often, and with which values.

    Args:
        connection: The target, read-only.
        catalog: Its schema.
        workload: A file given by the user: JSON lines, `.sql`, or a log of PostgreSQL. It is the
            workload then, and the server only adds what it does not tell.
        watch_s: Seconds to watch the server for values and repetitions. From `MIN_WINDOW_S` on,
            what it counts meanwhile is the workload; below, what it has counted so far.
        clock: The time.
        progress: Told about each step.

    Raises:
        ConfigError: If the file cannot be used.
        psycopg.Error: If the connection is lost.
    """
    if workload is not None:
        return _from_file(connection, workload, catalog=catalog)
    before = read_statements(connection)
    seen = Watched()
    if watch_s > 0:
        seen = watch(connection, watch_s=watch_s, clock=clock, progress=progress)
    after = read_statements(connection) if watch_s > 0 else before
    progress("reading the server's log")
    logged = read_log(connection, database=connection.info.dbname)
    if isinstance(before, Missing):
        return _uncounted(connection, before, seen=seen, logged=logged, catalog=catalog)
    if isinstance(after, Missing):
        return _uncounted(connection, after, seen=seen, logged=logged, catalog=catalog)
    enough = watch_s >= MIN_WINDOW_S
    counted = difference(before, after, window_s=seen.seconds) if enough else after
    progress("joining counters and values")
    return _counted(
        connection,
        counted,
        all_time=after,
        gathered=_gather(logged.parsed.events, seen.events),
        seen=seen,
        logged=logged,
        catalog=catalog,
    )


# --- Counted by pg_stat_statements ----------------------------------------------------------------


def _counted(
    connection: Connection,
    counted: Counted,
    *,
    all_time: Counted,
    gathered: Gathered,
    seen: Watched,
    logged: Logged,
    catalog: Catalog,
) -> Collected:
    known = _Relations.of(catalog)
    found = known.totals(counted)
    notes: list[str] = []
    source = f"pg_stat_statements over {seen.seconds:.0f} s"
    if not seen.looks:
        source = "pg_stat_statements since its last reset"
    elif not found.totals:
        counted = all_time
        found = known.totals(counted)
        if found.totals:
            source = "pg_stat_statements since its last reset"
            notes.append(
                f"workload: no statement touched a table of this database in {seen.seconds:.0f} s; "
                "what was counted since the last reset is used instead"
            )
    if not found.totals:
        notes += [*_hidden_note(connection, counted), "workload: " + _nothing(None)]
        return Collected(notes=tuple(notes), source=source)
    notes += [*_hidden_note(connection, counted), *found.notes()]
    shapes = join(found.totals, gathered)
    notes += _not_in_window(shapes, known.totals(all_time), seen=seen)
    drawn = draw_missing(shapes, connection, catalog=catalog)
    return Collected(
        shapes=drawn.shapes,
        notes=(*notes, *_seen_notes(seen), *_drawn_notes(drawn, logged=logged)),
        source=source,
        window_s=counted.age_s,
    )


@dataclass(slots=True)
class _Relations:
    """Tells the statements about the user's tables from all others."""

    names: frozenset[str]
    _seen: dict[str, tuple[str, bool] | None] = field(default_factory=dict)

    @classmethod
    def of(cls, catalog: Catalog) -> _Relations:
        tables = {name for t in catalog.tables for name in (t.bare_name or t.name, t.name)}
        return cls(frozenset(n.casefold() for n in tables | {v.name for v in catalog.views}))

    def mentions(self, sql: str) -> bool:
        """Whether a statement reads or writes a table or view of the user's."""
        words = [
            t for t in tokenize(sql, "postgres") if t.kind in {"word", "quoted"} or t.text == "."
        ]
        place = 0
        while place < len(words) - 1:
            place += 1
            if words[place - 1].text.upper() not in _BEFORE_NAME:
                continue
            parts = [words[place].text]
            while place + 2 < len(words) and words[place + 1].text == ".":
                place += 2
                parts.append(words[place].text)
            folded = [part.strip('"').casefold() for part in parts]
            if folded[0] not in _SYSTEM and folded[-1] in self.names:
                return True
        return False

    def totals(self, counted: Counted) -> _Totals:
        """The statements that are a workload, those with a share of the time first."""
        all_ms = sum(entry.ms for entry in counted.entries)
        found: list[Total] = []
        others, others_ms = 0, 0.0
        for entry in sorted(counted.entries, key=lambda e: -e.ms):
            if len(found) >= MAX_SHAPES:
                break
            hidden = self._masked(entry.sql)
            if hidden is None:
                others, others_ms = others + 1, others_ms + entry.ms
            else:
                found.append(_total(entry, hidden[0], write=hidden[1]))
        share = others_ms / all_ms if all_ms else 0.0
        return _Totals(totals=tuple(found), others=others, others_share=share)

    def _masked(self, sql: str) -> tuple[str, bool] | None:
        if sql not in self._seen:
            self._seen[sql] = masked(sql) if self.mentions(sql) else None
        return self._seen[sql]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Totals:
    """The counters of the user's statements, and how much else there was."""

    totals: tuple[Total, ...]
    others: int
    others_share: float

    def notes(self) -> Iterator[str]:
        if self.others_share >= SMALL_SHARE:
            yield (
                f"workload: {self.others:,} statements ({self.others_share:.0%} of the time) touch "
                "no table of this database, such as utility commands and calls of functions"
            )


_BEFORE_NAME = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "ONLY", "USING", "TABLE", "LATERAL"})
_SYSTEM = frozenset({"pg_catalog", "information_schema"})


def _total(entry: Entry, text: str, *, write: bool) -> Total:
    mean_ms = entry.ms / entry.calls
    return Total(
        key=key_of(text),
        sql=entry.sql,
        text=text,
        write=write,
        calls=entry.calls,
        ms=entry.ms,
        counters=Counters(
            rows=entry.rows,
            hit_pages=entry.hit_pages,
            read_pages=entry.read_pages,
            dirtied_pages=entry.dirtied_pages,
            wal_bytes=entry.wal_bytes,
            deviation_ms=max(0.0, entry.squares_ms2 / entry.calls - mean_ms**2) ** 0.5,
        ),
    )


# --- Not counted ----------------------------------------------------------------------------------


def _uncounted(
    connection: Connection,
    missing: Missing,
    *,
    seen: Watched,
    logged: Logged,
    catalog: Catalog,
) -> Collected:
    """The workload as a log or the sessions show it, where nothing counts statements."""
    known = _Relations.of(catalog)
    from_log = _gather(logged.parsed.events)
    gathered = from_log if from_log.executions else _gather((), seen.events)
    shapes = tuple(s for s in without_counters(gathered) if known.mentions(s.text))
    if not shapes:
        return Collected(notes=(str(missing), f"workload: {_nothing(missing)}"), source="")
    if from_log.executions:
        source, window_s = f"the server's log ({logged.where})", None
        told = f"calls are those in the last part of the log: {gathered.executions:,}"
    else:
        source, window_s = f"sessions, looked at {seen.looks} times", seen.seconds
        told = (
            f"calls are the {gathered.executions:,} executions seen in {seen.looks} looks at the "
            "sessions: a lower bound, and short statements are seen less often than they run"
        )
    drawn = draw_missing(shapes[:MAX_SHAPES], connection, catalog=catalog)
    return Collected(
        shapes=drawn.shapes,
        notes=(
            str(missing),
            f"workload: {told}",
            *_seen_notes(seen),
            *_drawn_notes(drawn, logged=logged),
        ),
        source=source,
        window_s=window_s,
    )


def _nothing(missing: Missing | None) -> str:
    """What to do when there is no workload at all."""
    counters = missing.remedy if missing else "let the application run, then look again"
    return (
        f"none is known, so missing and unused indexes cannot be judged. Either {counters}; or log "
        "the statements (ALTER DATABASE ... SET log_min_duration_statement TO 0) and give the log "
        "with --workload FILE; or give JSON lines or .sql with --workload FILE"
    )


# --- From a file ----------------------------------------------------------------------------------


def _from_file(connection: Connection, path: Path, *, catalog: Catalog) -> Collected:
    shapes, notes = _read_file(connection, path)
    counted = read_statements(connection)
    if isinstance(counted, Counted):
        totals = _Relations.of(catalog).totals(counted).totals
        shapes = with_times(shapes, totals)
        notes += _uncovered_notes(shapes, totals)
    drawn = draw_missing(shapes, connection, catalog=catalog)
    return Collected(
        shapes=drawn.shapes,
        notes=(*notes, *_drawn_notes(drawn, logged=None)),
        source=str(path),
    )


def _read_file(connection: Connection, path: Path) -> tuple[tuple[Shape, ...], tuple[str, ...]]:
    if path.suffix.lower() != ".sql" and path.is_file():
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            text = file.read()
        kind = format_of(text)
        if kind is not None:
            return _from_log(connection, text, path=path)
    loaded = load_workload(path, dialect="postgres")
    return with_order(map(_valued, loaded.shapes), _repetitions(path)), loaded.notes


def _valued(shape: Shape) -> Shape:
    """Leave out the executions whose values are not known; without any, values are drawn."""
    known = [s for s in shape.samples if s.parameters is not None or not parameters_in(s.sql)]
    samples = tuple(replace(sample, weight=shape.calls / len(known)) for sample in known)
    return replace(shape, samples=samples)


def _from_log(
    connection: Connection, text: str, *, path: Path
) -> tuple[tuple[Shape, ...], tuple[str, ...]]:
    parsed = _parsed(connection, text)
    shapes = without_counters(_gather(parsed.events))
    if not shapes:
        raise ConfigError(
            field="workload",
            value=str(path),
            problem="is a log of PostgreSQL that holds no statements of this database; set "
            "log_min_duration_statement to 0 while the application runs",
        )
    notes: tuple[str, ...] = ()
    if parsed.without_values:
        notes = (
            f"workload: {parsed.without_values:,} statements stand in the log without the values "
            "of their parameters (log_parameter_max_length cuts them)",
        )
    if len(shapes) > MAX_SHAPES:
        notes += (f"workload: only the first {MAX_SHAPES} of {len(shapes)} shapes are judged",)
    return shapes[:MAX_SHAPES], notes


def _parsed(connection: Connection, text: str) -> Parsed:
    """Read a log by this server's prefix, or, where it comes from another one, by what is usual."""
    kind = format_of(text)
    assert kind is not None  # noqa: S101 - asked before
    row = connection.execute("SELECT current_setting('log_line_prefix')").fetchone()
    for prefix in (str(row[0]) if row else "", ""):
        parsed = parse_log(
            text, kind=kind, prefix=prefix, database=connection.info.dbname, ignore=NAME
        )
        if parsed.events:
            return parsed
    return Parsed()


def _repetitions(path: Path) -> dict[str, Repetition]:
    """How the statements of a file stand together; a file that counts has no order."""
    repetitions = Repetitions()
    for session, transaction, sql in _in_order(path):
        try:
            hidden = masked(numbered(sql).sql)
        except StyleError:
            continue
        if hidden is not None:
            repetitions.add(key_of(hidden[0]), session=session, transaction=transaction)
    return repetitions.result()


def _in_order(path: Path) -> Iterator[tuple[str, str | None, str]]:
    """Yield session, transaction and text; JSON lines may carry `pid` and `transaction`."""
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".sql":
        yield from (("", None, sql) for _, sql in split_statements(text, "postgres"))
        return
    for line in text.split("\n"):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(entry, dict) or not isinstance(entry.get("sql"), str):
            continue
        if entry.get("count", 1) != 1:
            continue
        group = entry.get("transaction", entry.get("request"))
        session = entry.get("pid", entry.get("session", ""))
        yield str(session), None if group is None else str(group), entry["sql"]


def _gather(events: Sequence[Event], sampled: Sequence[Event] = ()) -> Gathered:
    """Group executions; `sampled` ones have gaps, so their order counts only without others."""
    gatherer = Gatherer()
    for event in events:
        gatherer.add(event)
    for event in sampled:
        gatherer.add(event, in_order=not events)
    gathered = gatherer.result()
    return gathered if events else replace(gathered, repetitions=_repeated(gathered))


def _repeated(gathered: Gathered) -> dict[str, Repetition]:
    """Of what was seen with gaps, only what was seen together all the same."""
    return {k: r for k, r in gathered.repetitions.items() if r.together >= MIN_TOGETHER}


# --- Notes ----------------------------------------------------------------------------------------


def _hidden_note(connection: Connection, counted: Counted) -> list[str]:
    if not counted.hidden:
        return []
    total_ms = counted.hidden_ms + sum(entry.ms for entry in counted.entries)
    share = f"{counted.hidden_ms / total_ms:.0%}" if total_ms else "none"
    return [
        f"pg_stat_statements: {counted.hidden:,} statements of other roles ({share} of the time) "
        f"are hidden from us; run: GRANT pg_read_all_stats TO {quote(connection.info.user)}"
    ]


def _not_in_window(shapes: tuple[Shape, ...], all_time: _Totals, *, seen: Watched) -> list[str]:
    if not seen.looks:
        return []
    missing, share = uncovered(shapes, all_time.totals)
    if share < SMALL_SHARE:
        return []
    return [
        f"workload: {len(missing):,} statements that make up {share:.0%} of the time since the "
        f"last reset did not run in the {seen.seconds:.0f} s that were watched; watch longer to "
        "have them judged"
    ]


def _uncovered_notes(shapes: tuple[Shape, ...], totals: tuple[Total, ...]) -> tuple[str, ...]:
    missing, share = uncovered(shapes, totals)
    if share < SMALL_SHARE:
        return ()
    examples = "; ".join(total.text[:100] for total in missing[:MAX_NOTED])
    return (
        f"workload: {len(missing):,} statements that the server executes are not in the file "
        f"({share:.0%} of its time since the last reset), such as: {examples}",
    )


def _seen_notes(seen: Watched) -> Iterator[str]:
    if seen.cut:
        yield (
            f"workload: {seen.cut:,} statements longer than {seen.cut_bytes:,} bytes were seen "
            "without their end and left out; raise track_activity_query_size (needs a restart)"
        )
    if seen.hidden:
        yield (
            f"workload: the statements of {seen.hidden:,} sessions of other roles are hidden from "
            "us (pg_read_all_stats shows them)"
        )


def _drawn_notes(drawn: Drawn, *, logged: Logged | None) -> Iterator[str]:
    count = len(drawn.shapes)
    if drawn.filled:
        ms = sum(s.recorded_ms or 0.0 for s in drawn.shapes if any(x.drawn for x in s.samples))
        all_ms = sum(s.recorded_ms or 0.0 for s in drawn.shapes)
        share = f" ({ms / all_ms:.0%} of the time)" if all_ms else ""
        yield (
            f"workload: the values of {drawn.filled:,} of {count:,} statements{share} were "
            "recorded nowhere; they were drawn from rows that the tables hold"
        )
    for shape, problem in drawn.problems[:MAX_NOTED]:
        yield (
            f"workload: no values are known, and {problem}, so it is not executed: "
            f"{shape.text[:100]}"
        )
    if len(drawn.problems) > MAX_NOTED:
        yield (
            f"workload: {len(drawn.problems) - MAX_NOTED:,} more statements without values are not "
            "executed"
        )
    if (drawn.filled or drawn.problems) and logged is not None and logged.problem:
        yield f"workload: real values would come from the log, but {logged.problem}"
