"""A small shop on PostgreSQL, with faults to find, and what it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

SCHEMA = (
    "create table customer(id int primary key, mail text not null, country text)",
    "create table orders(id int primary key, customer_id int not null references customer(id),"
    " state text not null, placed timestamp not null, total numeric, seen timestamp)",
    "create table line(order_id int not null references orders(id) on delete cascade,"
    " pos int not null, sku text not null, primary key(order_id, pos))",
    "insert into customer select i, 'Name' || i || '@shop.example', chr(97 + i % 5)"
    " from generate_series(1, 2000) i",
    "insert into orders select i, i % 2000 + 1, case when i > 29800 then 'open' else 'done' end,"
    " timestamp '2026-01-01' + i * interval '5 minutes', i % 97, timestamp '2026-03-01'"
    " from generate_series(1, 30000) i",
    "insert into line select id, 1, 'S' || id % 50 from orders",
    "create index orders_state on orders(state)",
    "create index orders_state_copy on orders(state)",
    "create index orders_seen on orders(seen)",
    "vacuum analyze",
)
READS = (
    *(
        f"select id, total from orders where customer_id = {i} order by placed desc"
        for i in range(1, 41)
    ),
    *("select id from orders where state = 'open' order by placed, id limit 5" for _ in range(40)),
    *(f"select id from customer where lower(mail) = 'name{i}@shop.example'" for i in range(1, 41)),
)
WRITES = (
    *(
        f"insert into orders values ({40000 + i}, {i}, 'open', '2026-05-01', 1, null)"
        for i in range(1, 31)
    ),
    *(
        f"update orders set seen = '2026-05-01 10:00:{i:02}' where id = {i * 7}"
        for i in range(1, 41)
    ),
    "delete from orders where id = 17",
)


def write_workload(path: Path, statements: Iterable[str] = (*READS, *WRITES)) -> Path:
    """Write JSON lines."""
    path.write_text("".join(json.dumps({"sql": sql}) + "\n" for sql in statements))
    return path
