"""Workload files: `.sql` scripts, and JSON lines `{"sql", "ms"?, "params"?, "count"?}`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from perfwright.agents.database.artifacts import Parameters, Shape
from perfwright.agents.database.catalog import Dialect
from perfwright.agents.database.workload.kinds import is_known
from perfwright.agents.database.workload.lexing import split_statements
from perfwright.agents.database.workload.shapes import Execution, ShapeCollector, outline
from perfwright.agents.database.workload.styles import StyleError, numbered
from perfwright.core import ConfigError

MAX_SHAPES = 2_000  # beyond, values are hidden in the text where they cannot be told from names
MAX_NOTES = 5
_ENGINES: dict[Dialect, str] = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A workload as it was read."""

    shapes: tuple[Shape, ...]
    executions: int
    notes: tuple[str, ...] = ()
    """Lines that were left out, and why."""


@dataclass(slots=True)
class _Skipped:
    """Statements that were left out for one reason."""

    dialect: Dialect
    count: int = 0
    example: str = ""

    def add(self, sql: str) -> None:
        self.count += 1
        if self.count == 1:
            self.example = f"such as: {outline(sql, self.dialect)}"

    def __str__(self) -> str:
        return f"{self.count:,} statement{'' if self.count == 1 else 's'}"


class _LineError(ValueError):
    """One line cannot be used; the others can."""


def load_workload(
    path: Path, *, names: frozenset[str] = frozenset(), dialect: Dialect = "sqlite"
) -> Workload:
    """Read a workload file.

    Args:
        path: A `.sql` script, or JSON lines.
        names: Every identifier of the schema, folded; only SQLite needs them.
        dialect: How its statements are written.

    Raises:
        ConfigError: If there is no file, it cannot be read, or no line of it can be used.
    """
    text = _read(path)
    is_script = path.suffix.lower() == ".sql"
    lines = _script(text, dialect) if is_script else _json_lines(text, dialect)
    collector = ShapeCollector(names=names, dialect=dialect)
    executions, bad, idle, foreign = 0, list[str](), _Skipped(dialect), _Skipped(dialect)
    for number, entry in lines:
        if isinstance(entry, _LineError):
            bad.append(f"line {number}: {entry}")
        elif collector.add(entry):
            executions += entry.count
        else:
            (idle if is_known(entry.sql, dialect) else foreign).add(entry.sql)
    if not executions:
        problem = _nothing(bad, idle=idle, foreign=foreign)
        raise ConfigError(field="workload", value=str(path), problem=problem)
    notes = [f"workload: {note}, left out" for note in bad[:MAX_NOTES]]
    if len(bad) > MAX_NOTES:
        notes.append(f"workload: {len(bad) - MAX_NOTES} more lines left out for such reasons")
    if foreign.count:
        notes.append(
            f"workload: {foreign} left out that {_ENGINES[dialect]} cannot read, {foreign.example}"
        )
    if idle.count:
        notes.append(f"workload: {idle} left out as touching no rows, {idle.example}")
    shapes = collector.shapes()
    if len(shapes) > MAX_SHAPES:
        notes.append(f"workload: only the first {MAX_SHAPES} of {len(shapes)} shapes are judged")
    return Workload(shapes=shapes[:MAX_SHAPES], executions=executions, notes=tuple(notes))


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        problem = "there is no such file"
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text (byte {error.start})"
    else:
        if text.strip():
            return text
        problem = "is empty"
    raise ConfigError(field="workload", value=str(path), problem=problem)


def _nothing(bad: list[str], *, idle: _Skipped, foreign: _Skipped) -> str:
    if bad:
        return f"no line of it can be used; {bad[0]}"
    if foreign.count:
        return f"holds {foreign} that {_ENGINES[foreign.dialect]} cannot read, {foreign.example}"
    return f"holds no SELECT, INSERT, UPDATE or DELETE, only {idle} of other kinds, {idle.example}"


def _script(text: str, dialect: Dialect) -> Iterator[tuple[int, Execution | _LineError]]:
    for number, sql in split_statements(text, dialect):
        try:
            yield number, _bound(Execution(sql=sql), dialect)
        except _LineError as error:
            yield number, error


def _json_lines(text: str, dialect: Dialect) -> Iterator[tuple[int, Execution | _LineError]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, _execution(line, dialect)
        except _LineError as error:
            yield number, error


def _execution(line: str, dialect: Dialect) -> Execution:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _LineError(f"is not JSON ({error})") from None
    if not isinstance(entry, dict) or not isinstance(entry.get("sql"), str):
        raise _LineError('has no "sql" text')
    if not entry["sql"].strip():
        raise _LineError('has an empty "sql"')
    execution = Execution(
        sql=entry["sql"],
        parameters=_parameters(entry.get("params"), dialect),
        ms=_amount(entry, "ms"),
        count=max(1, int(_amount(entry, "count") or 1)),
    )
    return _bound(execution, dialect)


def _bound(execution: Execution, dialect: Dialect) -> Execution:
    """Write the parameters as the server takes them; SQLite takes those of its drivers."""
    if dialect == "sqlite":
        return execution
    try:
        statement = numbered(execution.sql)
        values = statement.bind(execution.parameters)
    except StyleError as error:
        raise _LineError(str(error)) from None
    return replace(execution, sql=statement.sql, parameters=values)


def _amount(entry: dict[str, object], name: str) -> float | None:
    value = entry.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _LineError(f'"{name}" is not a number')
    if not 0 <= value < 1e15:
        raise _LineError(f'"{name}" is out of range')
    return float(value)


def _parameters(value: object, dialect: Dialect) -> Parameters:
    if dialect == "postgres":
        value = _as_postgres(value)
    is_value = _is_scalar if dialect == "sqlite" else _is_postgres_value
    match value:
        case None:
            return None
        case list() if all(map(is_value, value)):
            return tuple(value)
        case dict() if all(map(is_value, value.values())):
            return {str(key).lstrip(":@$"): entry for key, entry in value.items()}
        case _:
            raise _LineError('"params" is neither a list nor an object of plain values')


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _as_postgres(value: object) -> object:
    """Write the objects among the parameters as text, which is how json and jsonb take them."""
    match value:
        case list():
            return [json.dumps(v) if isinstance(v, dict) else v for v in value]
        case dict():
            return {k: json.dumps(v) if isinstance(v, dict) else v for k, v in value.items()}
        case _:
            return value


def _is_postgres_value(value: object) -> bool:
    """PostgreSQL has arrays, so `= ANY($1)` takes a list."""
    return all(map(_is_postgres_value, value)) if isinstance(value, list) else _is_scalar(value)
