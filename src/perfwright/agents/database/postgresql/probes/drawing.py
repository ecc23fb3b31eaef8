"""Values for statements that nobody logged: drawn from rows that the tables really hold."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil, log1p
from typing import TYPE_CHECKING

from perfwright.agents.database.artifacts import Sample, Shape
from perfwright.agents.database.catalog import Catalog, Table
from perfwright.agents.database.postgresql.normalising import MARK, inlined, parameters_in
from perfwright.agents.database.postgresql.parameters import (
    Carried,
    ColumnValue,
    Role,
    RowCount,
    roles_of,
)
from perfwright.agents.database.postgresql.probes.asking import Row, ask

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

SAMPLES = 5
CANDIDATES = 20  # drawn, of which the likeliest become samples
MAX_DRAWN = 300  # shapes; one takes a few milliseconds, and those beyond have no share of the time
POOL = 400  # rows that values are drawn from
SMALL_ROWS = 5_000  # below, a table is read from its beginning: sampling pages might miss it
ARRAY_ITEMS = 3  # where nothing tells how long the list is
MAX_ITEMS = 50
MIN_LIMIT = 10
Value = str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Shapes with the values that could be drawn for them."""

    shapes: tuple[Shape, ...]
    filled: int = 0
    problems: tuple[tuple[Shape, str], ...] = ()
    """Shapes that keep no values, and why."""


@dataclass(slots=True)
class _Drawer:
    connection: Connection
    catalog: Catalog
    chance: random.Random
    pools: dict[tuple[str, tuple[str, ...], bool], list[tuple[Value, ...]]] = field(
        default_factory=dict
    )

    def draw(self, shape: Shape) -> tuple[Sample, ...] | str:
        """Return samples for one shape, or why there are none."""
        numbers = parameters_in(shape.template)
        roles = roles_of(shape.template, self.catalog, numbers=numbers)
        if roles.problem is not None:
            return roles.problem
        found: list[str] = []
        for _ in range(CANDIDATES if numbers else 1):
            values = self._values(shape, roles.known)
            if isinstance(values, str):
                return values
            listed = tuple(values.get(number) for number in range(1, max(numbers, default=0) + 1))
            sql = inlined(shape.template, listed)
            if sql is not None and sql not in found:
                found.append(sql)
        chosen = self._likeliest(shape, found) if found else "cannot be filled"
        if isinstance(chosen, str):
            return chosen
        weight = shape.calls / len(chosen)
        return tuple(Sample(sql=sql, weight=weight, drawn=bool(numbers)) for sql in chosen)

    def _likeliest(self, shape: Shape, found: list[str]) -> list[str] | str:
        """Choose the statements that the planner expects to return as many rows as were counted.

        Two values at random make a range over a third of the table, which few programs ask for.
        """
        expected = [self._expected_rows(sql) for sql in found]
        if isinstance(expected[0], str):
            return expected[0]
        if shape.counters is None or shape.write:
            return found[:SAMPLES]
        counted = _rows_per_call(shape)
        distances = [
            (abs(log1p(rows) - log1p(counted)), place)
            for place, rows in enumerate(expected)
            if not isinstance(rows, str)
        ]
        return [found[place] for _, place in sorted(distances)[:SAMPLES]]

    def _values(self, shape: Shape, roles: dict[int, Role]) -> dict[int, Value] | str:
        """Draw one value for each parameter; a text says what stands against it."""
        values: dict[int, Value] = {}
        sources: dict[str, list[tuple[int, ColumnValue]]] = {}
        for number, role in roles.items():
            match role:
                case RowCount(offset=True):
                    values[number] = "0"
                case RowCount():
                    if shape.counters is None:
                        return "its number of rows is not known"
                    values[number] = str(_limit(_rows_per_call(shape)))
                case Carried():
                    values[number] = "1"
                case ColumnValue():
                    sources.setdefault(role.source, []).append((number, role))
        for wanted in sources.values():
            problem = self._fill(values, wanted, shape=shape)
            if problem:
                return problem
        return values

    def _fill(
        self,
        values: dict[int, Value],
        wanted: Sequence[tuple[int, ColumnValue]],
        *,
        shape: Shape,
    ) -> str | None:
        """Fill in the parameters that one mention of a table answers, from one of its rows."""
        table = self.catalog.table(wanted[0][1].table)
        if table is None:
            return "its table is not in the catalog"
        expressions = tuple(dict.fromkeys(role.expression for _, role in wanted))
        rows = self._pool(table, expressions, stored=wanted[0][1].part == "stored")
        if not rows:
            return f"{table.name} has no rows with such values, or may not be read"
        row = self.chance.choice(rows)
        members: dict[str, int] = {}
        for number, role in wanted:
            place = expressions.index(role.expression)
            match role.part:
                case "member":
                    taken = members.get(role.expression, 0)
                    other = row if taken == 0 else self.chance.choice(rows)
                    members[role.expression] = taken + 1
                    values[number] = other[place]
                case "array":
                    items = [self.chance.choice(rows)[place] for _ in range(_items(shape))]
                    values[number] = _array(items)
                case _:
                    values[number] = row[place]
        self._order(values, wanted, rows=rows, expressions=expressions)
        return None

    def _order(
        self,
        values: dict[int, Value],
        wanted: Sequence[tuple[int, ColumnValue]],
        *,
        rows: list[tuple[Value, ...]],
        expressions: tuple[str, ...],
    ) -> None:
        """Give a range with two ends two rows' values, the smaller one first."""
        for low, one in wanted:
            for high, other in wanted:
                if (one.part, other.part) != ("low", "high") or one.expression != other.expression:
                    continue
                place = expressions.index(one.expression)
                two = [self.chance.choice(rows)[place], self.chance.choice(rows)[place]]
                values[low], values[high] = sorted(two, key=_in_order)

    def _pool(
        self, table: Table, expressions: tuple[str, ...], *, stored: bool
    ) -> list[tuple[Value, ...]]:
        """Rows of a table in text form."""
        key = (table.name, expressions, stored)
        if key not in self.pools:
            self.pools[key] = self._read(table, expressions, stored=stored)
        return self.pools[key]

    def _read(
        self, table: Table, expressions: tuple[str, ...], *, stored: bool
    ) -> list[tuple[Value, ...]]:
        # A condition that compares with NULL finds nothing; a new row may well hold some.
        where = (
            "" if stored else " WHERE " + " AND ".join(f"({e}) IS NOT NULL" for e in expressions)
        )
        listed = ", ".join(f"({e})::text" for e in expressions)
        for sample in _samples_of(table):
            query = f"SELECT {MARK} {listed} FROM {table.relation}{sample}{where} LIMIT {POOL * 5}"
            rows = self._answer(query)
            if rows:
                step = max(1, len(rows) // POOL)
                return [tuple(row) for row in rows[::step]]
        return []

    def _expected_rows(self, sql: str) -> float | str:
        """Ask the planner for the number of rows, or why a statement means nothing."""
        import psycopg

        try:
            plan = ask(self.connection, f"EXPLAIN (FORMAT JSON) {sql}")[0][0]
        except psycopg.errors.InsufficientPrivilege:
            return 0.0  # it will run on the copy
        except psycopg.Error as error:
            if self.connection.broken:
                raise
            return f"it cannot be planned with drawn ones ({error.sqlstate})"
        return float(plan[0]["Plan"]["Plan Rows"])

    def _answer(self, query: str) -> list[Row]:
        """All rows; none where the role may not, it takes too long, or an expression fails."""
        import psycopg

        try:
            return ask(self.connection, query)
        except psycopg.Error:
            if self.connection.broken:
                raise
            return []


def draw_missing(
    shapes: tuple[Shape, ...], connection: Connection, *, catalog: Catalog, seed: int = 0
) -> Drawn:
    """Draw values for the shapes that have no samples, the costliest first.

    The rows are read from `connection`, the copy or the target: by pages at random, some hundred
    for each table and set of columns.

    Raises:
        psycopg.Error: If the connection is lost.
    """
    drawer = _Drawer(connection, catalog, random.Random(seed))
    done: list[Shape] = []
    problems: list[tuple[Shape, str]] = []
    filled = tried = 0
    for shape in shapes:
        if shape.samples:
            done.append(shape)
            continue
        tried += 1
        found = drawer.draw(shape) if tried <= MAX_DRAWN else "is one of too many"
        if isinstance(found, str):
            problems.append((shape, found))
            done.append(shape)
        else:
            filled += any(sample.drawn for sample in found)
            done.append(replace(shape, samples=found))
    return Drawn(shapes=tuple(done), filled=filled, problems=tuple(problems))


def _samples_of(table: Table) -> tuple[str, ...]:
    """Ways to read some rows, the fairest first."""
    if table.rows <= SMALL_ROWS:
        return ("",)
    percent = min(100.0, 100.0 * POOL * 5 / table.rows)
    return (f" TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (0)", "")


def _rows_per_call(shape: Shape) -> float:
    return shape.counters.rows / shape.calls if shape.counters else 0.0


def _limit(rows: float) -> int:
    """The LIMIT that was given, when each call returned so many rows; else one that rarely binds.

    A smaller one would let a plan stop early that did not.
    """
    return int(rows) if rows >= 1 and rows == int(rows) else max(MIN_LIMIT, 2 * ceil(rows))


def _items(shape: Shape) -> int:
    """How long a list to draw: a row for each item, where rows were counted."""
    if shape.counters is None:
        return ARRAY_ITEMS
    return min(MAX_ITEMS, max(1, round(_rows_per_call(shape))))


def _in_order(value: Value) -> tuple[float, str]:
    """Numbers by size, all others by their text, which is right for dates."""
    try:
        return float(value or ""), ""
    except ValueError:
        return 0.0, value or ""


def _array(values: list[Value]) -> str:
    def item(value: Value) -> str:
        escaped = (value or "").replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    return "{" + ",".join(dict.fromkeys(item(v) for v in values)) + "}"
