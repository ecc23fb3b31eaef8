"""How many statement shapes the database agent can read, on the desk workload and on TPC-H.

A shape counts as analysed when nothing was reported about it, when each base table that it
mentions has an access under the name that it goes by, and when that access has a term wherever a
column of it is compared with something that is no column of it. No server is needed:

    python benchmarks/analysis_coverage.py
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from _ddl import catalog_of  # the folder of this script is on sys.path
from _shared import Share, circumstances, table
from sqlglot import exp
from tpch_queries import QUERIES, SCHEMA

from perfwright.agents.database.access import Analysis, analyse
from perfwright.agents.database.artifacts import Shape
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.parsing import parse_sql
from perfwright.agents.database.workload import Execution, ShapeCollector

sys.path.insert(0, str(Path(__file__).parent / "db"))
import desk

CALLS = 12  # of each statement: enough for a value that never changes to count as a constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One workload."""

    name: str
    shapes: int
    missed: dict[str, str]
    """Text of a shape, and what its analysis lacks."""
    accesses: int
    bare: int
    """Accesses without any term."""
    ms: float


def main() -> None:
    """Print the table."""
    results = [
        coverage("desk, values in the text", _desk(bound=False), catalog_of(desk.DDL)),
        coverage("desk, bound parameters", _desk(bound=True), catalog_of(desk.DDL)),
        coverage("TPC-H", _tpch(), catalog_of(SCHEMA)),
    ]
    header = ("workload", "shapes", "analysed", "share, 95 %", "accesses", "no term", "ms a shape")
    rows = [
        (
            result.name,
            result.shapes,
            result.shapes - len(result.missed),
            Share(result.shapes - len(result.missed), result.shapes),
            result.accesses,
            result.bare,
            f"{result.ms / result.shapes:.1f}",
        )
        for result in results
    ]
    sys.stdout.write(f"{circumstances('sqlglot')}\n\n{table(header, rows)}\n")
    for result in results:
        for text, problem in result.missed.items():
            sys.stdout.write(f"\n{result.name}: {problem}\n    {text[:160]}\n")


def coverage(name: str, executions: Iterable[Execution], catalog: Catalog) -> Result:
    """Analyse a workload and judge the analysis of each shape."""
    collector = ShapeCollector(dialect="postgres")
    refused = {e.sql: "is taken for no statement" for e in executions if not collector.add(e)}
    started = time.perf_counter()
    analysed = [(shape, analyse(shape, catalog)) for shape in collector.shapes()]
    ms = 1_000.0 * (time.perf_counter() - started)
    missed = {
        shape.text: problem
        for shape, analysis in analysed
        if (problem := lacking(shape, analysis, catalog=catalog))
    }
    accesses = [access for _, analysis in analysed for access in analysis.accesses]
    return Result(
        name=name,
        shapes=len(analysed) + len(refused),
        missed=refused | missed,
        accesses=len(accesses),
        bare=sum(not access.terms and not access.branches for access in accesses),
        ms=ms,
    )


def lacking(shape: Shape, analysis: Analysis, *, catalog: Catalog) -> str:
    """Say what an analysis lacks; empty when it lacks nothing."""
    if analysis.problem:
        return analysis.problem
    statement = parse_sql(shape.template, "postgres")
    read = {(a.table, a.alias) for a in analysis.accesses}
    unread = set(_mentioned(statement, catalog)) - read
    if unread:
        return f"no access to {_listed(unread)}"
    restricted = {(a.table, a.alias) for a in analysis.accesses if a.terms or a.branches}
    free = set(_compared(statement, catalog)) - restricted
    if free:
        return f"no term on {_listed(free)}"
    if shape.write and analysis.target is None:
        return "does not tell which table it changes"
    return ""


def _listed(mentions: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {alias}" for name, alias in sorted(mentions))


def _mentioned(statement: exp.Expr, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yield the base tables that a statement reads, and what it calls them."""
    common = {cte.alias for cte in statement.find_all(exp.CTE)}
    for mention in statement.find_all(exp.Table):
        parent = mention.parent.parent if isinstance(mention.parent, exp.Schema) else mention.parent
        is_target = isinstance(parent, exp.Insert)
        known = catalog.mentioned(mention.name, schema=mention.db)
        if known is not None and not is_target and mention.name not in common:
            yield known.name, mention.alias_or_name


def _compared(statement: exp.Expr, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yield the tables of which a column is compared in the WHERE or ON around it.

    Columns belong to the tables of their own SELECT by name, as both schemas name them apart or
    qualify them; a comparison of two columns of one table is none that an index could serve.
    """
    for holder in statement.find_all(exp.Select, exp.Update, exp.Delete):
        sources = _sources(holder, catalog)
        found: set[str] = set()
        for comparison in _comparisons(holder):
            sides = [_alias(side, sources) for side in comparison.iter_expressions()]
            if len(set(sides)) > 1:
                found |= {alias for alias in sides if alias}
        yield from ((sources[alias][0], alias) for alias in found)


def _sources(holder: exp.Expr, catalog: Catalog) -> dict[str, tuple[str, set[str]]]:
    """Tables and columns of one SELECT by alias."""
    mentions = [m for m in holder.find_all(exp.Table) if m.parent_select in {holder, None}]
    if not isinstance(holder, exp.Select):
        mentions = [holder.this]
    found = {}
    for mention in mentions:
        known = catalog.mentioned(mention.name, schema=mention.db)
        if known is not None:
            found[mention.alias_or_name] = (known.name, {c.name for c in known.columns})
    return found


def _comparisons(holder: exp.Expr) -> Iterator[exp.Expr]:
    clauses = [
        holder.args.get("where"),
        *(j.args.get("on") for j in holder.args.get("joins") or []),
    ]
    kinds = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between, exp.ArrayContainsAll)
    for clause in clauses:
        for node in clause.find_all(*kinds) if clause is not None else ():
            own = node.parent_select if isinstance(holder, exp.Select) else holder
            if own is holder and node.find_ancestor(exp.Not) is None:
                yield node


def _alias(side: exp.Expr, sources: dict[str, tuple[str, set[str]]]) -> str | None:
    if isinstance(side, exp.Query):
        return None
    for column in side.find_all(exp.Column):
        for alias, (_, columns) in sources.items():
            if column.table == alias or (not column.table and column.name in columns):
                return alias
    return None


def _desk(*, bound: bool) -> Iterator[Execution]:
    for template in desk.TEMPLATES:
        source = random.Random(template["name"])
        for _ in range(CALLS):
            values = template["params"](source) if template["params"] else None
            if template.get("many"):
                rows = ", ".join(f"({', '.join(map(_literal, row))})" for row in values)
                yield Execution(sql=f"{template['many']} values {rows}")
                continue
            parts = template["sql"] if isinstance(template["sql"], list) else [template["sql"]]
            for sql in parts:
                if bound or values is None:
                    yield Execution(sql=sql, parameters=values)
                else:
                    yield Execution(sql=sql % {k: _literal(v) for k, v in values.items()})


def _literal(value: object) -> str:
    return exp.convert(value).sql("postgres")


def _tpch() -> Iterator[Execution]:
    for query in QUERIES.values():
        yield Execution(sql=query, count=CALLS)


if __name__ == "__main__":
    main()
