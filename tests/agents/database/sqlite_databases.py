"""Small databases and workloads for the tests of the database agent."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.sqlite.probes.catalog import read_catalog

SCHEMA = """
create table customer(id integer primary key, name text not null, country text);
create table orders(id integer primary key, customer_id integer references customer(id),
  state text not null, placed text not null, total real, note text);
create table line(order_id integer not null references orders(id) on delete cascade,
  pos integer not null, sku text not null, primary key(order_id, pos)) without rowid;
create table log(id integer primary key, kind text, body text);
create view open_orders as select id, customer_id as buyer, placed from orders where state = 'open';
"""
ROWS = """
with recursive n(i) as (select 1 union all select i + 1 from n where i < 300)
insert into customer select i, 'Name ' || i, char(97 + i % 5) from n;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 6000)
insert into orders select i, i % 300 + 1, case when i > 5900 then 'open' else 'done' end,
  date('2026-01-01', '+' || (i / 20) || ' days'), i % 97, 'note ' || i from n;
insert into line select id, 1, 'S' || id % 50 from orders;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
insert into log select i, 'kind' || i % 4, 'body' from n;
"""


def make_shop(path: Path, *, extra: str = "", analyzed: bool = True) -> Path:
    """Create customers, 6,000 orders, their lines, and a log."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA + ROWS + extra + (";analyze;" if analyzed else ""))
        connection.commit()
    return path


def catalog_of(path: Path) -> Catalog:
    """Read the catalog of a database file."""
    with closing(sqlite3.connect(path)) as connection:
        return read_catalog(connection)


def write_workload(path: Path, entries: Iterable[object]) -> Path:
    """Write JSON lines; a plain text is a statement alone."""
    lines = (json.dumps({"sql": e} if isinstance(e, str) else e) for e in entries)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def logical_state(path: Path) -> list[tuple[object, ...]]:
    """Everything that a program, or the planner, can see: schema, rows, statistics."""
    with closing(sqlite3.connect(path)) as connection:
        schema = connection.execute(
            "select type, name, tbl_name, sql from sqlite_master"
        ).fetchall()
        state: list[tuple[object, ...]] = sorted(schema, key=repr)
        for kind, name, _, _ in schema:
            if kind == "table":
                quoted = '"' + name.replace('"', '""') + '"'
                rows = connection.execute(f"select * from {quoted}").fetchall()
                state += [(name, *row) for row in sorted(rows, key=repr)]
        return state
