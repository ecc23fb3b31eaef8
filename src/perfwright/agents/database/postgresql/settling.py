"""Gives the rows that a workload updates the state in which the next update finds them.

A fresh copy differs from a server that lives in two ways, and both decide whether an update has
to touch the indexes (a HOT update does not): its pages are full, so each new version of a row
moves to another page; and the recorded update was carried out already, so a replay changes
nothing. So each recorded row is updated once more, with the values of another recorded update.

Tables whose pages are full on the server, too, are left as they are: it counts how many updates
were HOT, and where most of those that could have been were not, there was no room for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from perfwright.agents.database.artifacts import Sample, Shape
from perfwright.agents.database.catalog import Catalog, Table
from perfwright.agents.database.parsing import ParseFailure, parse_sql

ENOUGH_UPDATES = 100  # counted on the server; fewer say too little
ROOMY = 0.5  # of the updates that no index forbids to be HOT


@dataclass(frozen=True, slots=True, kw_only=True)
class _Updates:
    """The recorded executions of one UPDATE."""

    statements: tuple[exp.Update, ...]
    table: Table | None
    rows: float
    """How many rows all its calls updated."""
    may_be_hot: bool
    """It sets no column that an index holds."""


def settling_statements(shapes: tuple[Shape, ...], catalog: Catalog) -> Iterator[str]:
    """Yield, for each recorded UPDATE, one of the same rows with the values of the one before.

    Shapes of one execution keep their own values: their rows only move to a page with room.
    """
    recorded = list(_recorded(shapes, catalog))
    for updates in recorded:
        if updates.table is not None and _is_full(updates.table, recorded):
            continue
        for place, statement in enumerate(updates.statements):
            values = updates.statements[place - 1].expressions
            mixed = statement.copy()
            mixed.set("expressions", [value.copy() for value in values])
            yield mixed.sql("postgres")


def _recorded(shapes: tuple[Shape, ...], catalog: Catalog) -> Iterator[_Updates]:
    for shape in shapes:
        parsed = tuple(u for s in shape.samples if (u := _update(s)) is not None)
        if not shape.write or not parsed:
            continue
        table = catalog.mentioned(parsed[0].this.name, schema=parsed[0].this.db)
        changed = {value.this.name.casefold() for value in parsed[0].expressions}
        yield _Updates(
            statements=parsed,
            table=table,
            rows=shape.counters.rows if shape.counters else float(shape.calls),
            may_be_hot=table is not None and not changed & _indexed(table, catalog),
        )


def _is_full(table: Table, recorded: list[_Updates]) -> bool:
    """Whether most updates of a table found no room on the page, though no index was in the way."""
    activity = table.activity
    if activity is None or activity.updated < ENOUGH_UPDATES:
        return False
    own = [updates for updates in recorded if updates.table == table]
    rows = sum(updates.rows for updates in own)
    could = sum(updates.rows for updates in own if updates.may_be_hot)
    return could > 0.0 and activity.hot_updated < ROOMY * activity.updated * could / rows


def _indexed(table: Table, catalog: Catalog) -> frozenset[str]:
    """All words of the definitions of its indexes: columns, also of expressions and conditions."""
    definitions = " ".join(index.sql for index in catalog.indexes_of(table.name))
    return frozenset(re.findall(r"[\w$]+", definitions.casefold()))


def _update(sample: Sample) -> exp.Update | None:
    try:
        statement = parse_sql(sample.sql, "postgres")
    except ParseFailure:
        return None
    return statement if isinstance(statement, exp.Update) and statement.expressions else None
