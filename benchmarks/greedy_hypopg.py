"""Index advice for PostgreSQL by greedy choice with HypoPG: the reference to be ahead of.

What a good straightforward advisor does: B-tree candidates, single and composite, from the columns
that statements compare, join and sort by; estimated costs with hypothetical indexes, weighted by
calls; the best gain first, inside a budget of bytes, until the next gain is below 1 %. It never
drops anything, does not look at writes and builds nothing to see whether it was right.

    python benchmarks/greedy_hypopg.py postgresql://... workload.jsonl [--megabytes 500]
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import sqlglot
from _shared import say  # the folder of this script is on sys.path
from sqlglot import exp
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers
from sqlglot.optimizer.qualify import qualify

SAMPLES = 5  # executions of each shape that are costed
ENOUGH = 0.01  # share of the remaining cost below which a gain is not worth an index
WIDEST = 4  # columns of an index
LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")
REPEATED = re.compile(r"\?(?:\s*,\s*\?)+|(\(\?\))(?:\s*,\s*\(\?\))+")
RANGES = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)

Columns = tuple[str, ...]
"""Quoted, with `DESC` where it sorts so."""


@dataclass(slots=True)
class Shape:
    """Statements that differ in their literals only."""

    calls: int = 0
    samples: list[str] = field(default_factory=list)
    tables: frozenset[str] = frozenset()
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One B-tree index."""

    table: str
    columns: Columns

    @property
    def sql(self) -> str:
        return f"CREATE INDEX ON {self.table} ({', '.join(self.columns)})"


def advise(url: str, workload: Path, *, budget_bytes: int) -> list[str]:
    """Return the statements that build the chosen indexes, the most useful first."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS hypopg")
        shapes = [*group(json.loads(line)["sql"] for line in workload.read_text().splitlines())]
        schema = read_schema(connection)
        candidates: set[Candidate] = set()
        for shape in shapes:
            candidates |= candidates_of(shape, schema)
        shapes = [shape for shape in shapes if estimate(connection, shape, keep=True) is not None]
        chosen = choose(connection, shapes, candidates, budget_bytes=budget_bytes)
    return [f"{one.sql};" for one in chosen] + ["ANALYZE;"]


def group(statements: Iterable[str]) -> Iterator[Shape]:
    """Group statements by their text without literals; spread the samples over the log."""
    shapes: dict[str, Shape] = {}
    for sql in statements:
        text = REPEATED.sub("?", LITERAL.sub("?", sql))
        shape = shapes.setdefault(text, Shape())
        shape.calls += 1
        if shape.calls.bit_count() == 1 and len(shape.samples) < SAMPLES:  # 1st, 2nd, 4th, 8th ...
            shape.samples.append(sql)
    yield from shapes.values()


def read_schema(connection: psycopg.Connection[Any]) -> dict[str, dict[str, str]]:
    """Columns with their types, by table, of what the search path shows."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        "SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)"
        " AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')"
    ):
        found.setdefault(table, {})[column] = kind
    return found


def candidates_of(shape: Shape, schema: dict[str, dict[str, str]]) -> set[Candidate]:
    """Derive candidates from one statement; none where it cannot be resolved."""
    try:
        tree = sqlglot.parse_one(shape.samples[0], dialect="postgres")
        named = {table.name for table in normalize_identifiers(tree.copy()).find_all(exp.Table)}
        shape.tables = frozenset(named & schema.keys())
        tree = qualify(tree, schema={**schema}, dialect="postgres", validate_qualify_columns=False)
    except sqlglot.errors.SqlglotError as error:
        say(f"greedy: no candidates: {str(error).splitlines()[0]}: {shape.samples[0][:80]}")
        return set()
    found: set[Candidate] = set()
    for select in tree.find_all(exp.Select, exp.Update, exp.Delete):
        found |= set(_of_block(select, schema))
    return found


def _of_block(block: exp.Expression, schema: dict[str, dict[str, str]]) -> Iterator[Candidate]:
    aliases = {
        table.alias_or_name: table.name
        for table in block.find_all(exp.Table)
        if table.name in schema
    }
    equal: dict[str, list[str]] = {}
    ranged: dict[str, list[str]] = {}
    sorted_by: dict[str, list[str]] = {}

    def note(into: dict[str, list[str]], node: exp.Expression | None, suffix: str = "") -> None:
        if isinstance(node, exp.Column):
            table = aliases.get(node.table) or (
                next(iter(aliases.values()), "") if len(aliases) == 1 else ""
            )
            name = f'"{node.name}"'
            if node.name in schema.get(table, {}) and name + suffix not in into.setdefault(
                table, []
            ):
                into[table].append(name + suffix)

    for clause in (
        block.args.get("where"),
        *(join.args.get("on") for join in block.args.get("joins") or ()),
    ):
        for node in clause.find_all(exp.EQ, exp.In, exp.Is, *RANGES) if clause else ():
            into = ranged if isinstance(node, RANGES) else equal
            note(into, node.this)
            note(into, node.args.get("expression"))
    for ordered in (block.args.get("order") or exp.Order()).expressions:
        note(sorted_by, ordered.this, " DESC" if ordered.args.get("desc") else "")
    for table in {*equal, *ranged, *sorted_by}:
        for columns in _composites(
            equal.get(table, []), ranged.get(table, []), sorted_by.get(table, [])
        ):
            yield Candidate(f'"{table}"', columns)


def _composites(equal: list[str], ranged: list[str], order: list[str]) -> Iterator[Columns]:
    """Equality columns in every order, then one range or the sort order; and each by itself."""
    bare = [column.removesuffix(" DESC") for column in order]
    yield from ((column,) for column in dict.fromkeys([*equal, *ranged, *bare]))
    for size in range(min(len(equal), 3) + 1):
        for first in itertools.permutations(equal, size):
            tails = [[], [*order], *([column] for column in ranged)]
            for tail in tails:
                columns = (*first, *(c for c in tail if c.removesuffix(" DESC") not in first))
                if 1 < len(columns) <= WIDEST:
                    yield columns


def estimate(
    connection: psycopg.Connection[Any], shape: Shape, *, keep: bool = False
) -> float | None:
    """Cost one call of a shape as the planner sees it now; None where it cannot be planned."""
    try:
        plans = [_explained(connection, sql) for sql in shape.samples]
    except psycopg.Error as error:
        say(f"greedy: not planned: {str(error).splitlines()[0]}: {shape.samples[0][:80]}")
        return None
    mean = sum(float(plan["Plan"]["Total Cost"]) for plan in plans) / len(plans)
    if keep:
        shape.cost = mean
    return mean


def _explained(connection: psycopg.Connection[Any], sql: str) -> Any:
    row = connection.execute(f"EXPLAIN (FORMAT JSON) {sql}").fetchone()
    assert row is not None
    return row[0][0]


def choose(
    connection: psycopg.Connection[Any],
    shapes: Sequence[Shape],
    candidates: Iterable[Candidate],
    *,
    budget_bytes: int,
) -> list[Candidate]:
    """Take the candidate with the best gain, again and again; what was chosen stays in place."""
    left, chosen = sorted(candidates, key=lambda one: one.sql), list[Candidate]()
    while left:
        total = sum(shape.calls * shape.cost for shape in shapes)
        best, best_gain, best_bytes, useless = None, 0.0, 0, set[Candidate]()
        for candidate in left:
            oid, size = build(connection, candidate)
            gain = sum(
                shape.calls * (shape.cost - (estimate(connection, shape) or shape.cost))
                for shape in shapes
                if candidate.table.strip('"') in shape.tables
            )
            connection.execute("SELECT hypopg_drop_index(%s)", (oid,))
            if gain <= 0.0:
                useless.add(candidate)
            if gain > best_gain and size <= budget_bytes:
                best, best_gain, best_bytes = candidate, gain, size
        if best is None or best_gain < ENOUGH * total:
            break
        say(f"greedy: {best_gain / total:.0%} less, {best_bytes / 2**20:.0f} MiB: {best.sql}")
        build(connection, best)
        chosen.append(best)
        budget_bytes -= best_bytes
        for shape in shapes:
            estimate(connection, shape, keep=True)
        left = [one for one in left if one not in useless | {best}]
    return [one for one in chosen if not any(_starts(other, one) for other in chosen)]


def _starts(longer: Candidate, shorter: Candidate) -> bool:
    """Whether the first columns of an index are all those of another."""
    size = len(shorter.columns)
    return longer.table == shorter.table and (
        longer.columns[:size] == shorter.columns and len(longer.columns) > size
    )


def build(connection: psycopg.Connection[Any], candidate: Candidate) -> tuple[int, int]:
    """Pretend that an index exists; returns its identifier and its estimated bytes."""
    row = connection.execute(
        "SELECT indexrelid, hypopg_relation_size(indexrelid) FROM hypopg_create_index(%s)",
        (candidate.sql,),
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="postgresql://...; needs the extension hypopg")
    parser.add_argument("workload", type=Path, help='JSON lines with "sql"')
    parser.add_argument("--megabytes", type=int, default=500, help="budget of index bytes")
    parser.add_argument("--quick", action="store_true", help="one execution of each shape")
    arguments = parser.parse_args()
    if arguments.quick:
        globals()["SAMPLES"] = 1
    print(
        "\n".join(advise(arguments.url, arguments.workload, budget_bytes=arguments.megabytes << 20))
    )


if __name__ == "__main__":
    main()
