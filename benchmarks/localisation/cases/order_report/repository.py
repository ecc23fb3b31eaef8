"""Orders in SQLite."""

from __future__ import annotations

import random
import sqlite3
from typing import NamedTuple

SCHEMA = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, day TEXT);
CREATE TABLE product (sku TEXT PRIMARY KEY, tax INTEGER) WITHOUT ROWID;
CREATE TABLE line (order_id INTEGER, sku TEXT, amount INTEGER, cents INTEGER);
CREATE INDEX line_order ON line (order_id);
"""


class Order(NamedTuple):
    id: int
    customer: str
    city: str
    day: str


class Line(NamedTuple):
    sku: str
    amount: int
    cents: int
    tax: int


class OrderRepository:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def orders(self) -> list[Order]:
        rows = self.connection.execute(
            "SELECT o.id, c.name, c.city, o.day FROM orders o JOIN customer c ON c.id = o.customer_id ORDER BY o.id"
        )
        return [Order(*row) for row in rows]

    def lines_of(self, order_id: int) -> list[Line]:
        rows = self.connection.execute(
            "SELECT l.sku, l.amount, l.cents, p.tax FROM line l JOIN product p ON p.sku = l.sku WHERE l.order_id = ?",
            (order_id,),
        )
        return [Line(*row) for row in rows]

    def cities(self) -> list[str]:
        return [
            city
            for (city,) in self.connection.execute(
                "SELECT DISTINCT city FROM customer ORDER BY city"
            )
        ]


def open_store(orders: int) -> sqlite3.Connection:
    rng = random.Random(3)
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.executescript(SCHEMA)
    connection.executemany(
        "INSERT INTO customer VALUES (?, ?, ?)",
        ((number, f"customer {number}", f"city {number % 40}") for number in range(500)),
    )
    connection.executemany(
        "INSERT INTO product VALUES (?, ?)",
        ((f"sku-{number}", 7 + 12 * (number % 2)) for number in range(300)),
    )
    connection.executemany(
        "INSERT INTO orders VALUES (?, ?, ?)",
        ((number, rng.randrange(500), f"2026-{number % 12 + 1:02}-01") for number in range(orders)),
    )
    connection.executemany(
        "INSERT INTO line VALUES (?, ?, ?, ?)",
        (
            (order, f"sku-{rng.randrange(300)}", rng.randrange(1, 5), rng.randrange(100, 9_000))
            for order in range(orders)
            for _ in range(2)
        ),
    )
    return connection
