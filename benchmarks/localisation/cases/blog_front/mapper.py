"""Rows as objects."""

from __future__ import annotations

import sqlite3
from typing import Any, TypeVar

T = TypeVar("T", bound="Table")


class One:
    """The row that another one points to, loaded when it is asked for."""

    def __init__(self, table: str) -> None:
        self.table = table

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, row: Table | None, owner: type) -> Any:
        if row is None:
            return self
        if self.name not in vars(row):
            key = vars(row)[f"{self.name}_id"]
            vars(row)[self.name] = row.session.get(Table.known[self.table], key)
        return vars(row)[self.name]


class Table:
    known: dict[str, type[Table]] = {}
    session: Session

    def __init_subclass__(cls) -> None:
        Table.known[cls.__name__.lower()] = cls

    @classmethod
    def name(cls) -> str:
        return cls.__name__.lower()


class Session:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        connection.row_factory = sqlite3.Row

    def select(self, table: type[T], where: str, *values: object) -> list[T]:
        cursor = self.connection.execute(f"SELECT * FROM {table.name()} WHERE {where}", values)
        return [self._object(table, row) for row in cursor]

    def get(self, table: type[T], key: int) -> T:
        return self.select(table, "id = ?", key)[0]

    def _object(self, table: type[T], row: sqlite3.Row) -> T:
        made = table.__new__(table)
        vars(made).update(zip(row.keys(), row, strict=True))
        made.session = self
        return made
