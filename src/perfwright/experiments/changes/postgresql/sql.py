"""Reads the few statements that may change a PostgreSQL target. Pure.

Whatever does not read as one of them is never run. What is run is written anew from what was read,
so that an index is always built and dropped in the way that locks nobody out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from perfwright.experiments.changes.postgresql.lexing import (
    Token,
    qualified,
    quote_name,
    split_sql,
    tokens,
)
from perfwright.experiments.changes.postgresql.settings import Setting, read_setting


class Action(StrEnum):
    """What a statement does."""

    CREATE_INDEX = "create index"
    DROP_INDEX = "drop index"
    ATTACH_INDEX = "attach index"
    CREATE_STATISTICS = "create statistics"
    DROP_STATISTICS = "drop statistics"
    ANALYZE = "analyze"
    SET = "set"
    RESTORE = "restore"
    """Brings back what only an inverse needs: a comment, a statistics target, a CLUSTER mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement, read."""

    action: Action
    sql: str
    schema: str | None = None
    name: str = ""
    """Of the index or the statistics object; empty where the user gave none."""
    table_schema: str | None = None
    table: str = ""
    """For ANALYZE: the relation, empty for all. For ATTACH: the attached index."""
    only: bool = False
    """CREATE INDEX ... ON ONLY: the frame of a partitioned index."""
    body: str = ""
    """CREATE INDEX: what follows the table. CREATE STATISTICS: between the name and FROM."""
    setting: Setting | None = None

    @property
    def relation(self) -> str:
        """The index or statistics object in SQL."""
        return qualified(self.schema, self.name)

    @property
    def table_relation(self) -> str:
        """The table in SQL."""
        return qualified(self.table_schema, self.table)

    def creation(self) -> str:
        """CREATE INDEX as it is run."""
        manner = "" if self.only else "CONCURRENTLY "
        on = "ON ONLY" if self.only else "ON"
        head = f"CREATE INDEX {manner}IF NOT EXISTS {quote_name(self.name)}"
        return f"{head} {on} {self.table_relation} {self.body}".rstrip()

    def placed(self, *, schema: str, table: str) -> Statement:
        """The same for a table whose schema is known; its index lies in the same schema."""
        made = replace(self, schema=schema, table_schema=schema, table=table)
        return replace(made, sql=made.creation())


class _Reader:
    """Walks over the tokens of one statement."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.tokens = list(tokens(sql))
        self.place = 0

    def peek(self) -> Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def accept(self, *words: str) -> bool:
        """Step over these words, all of them or none."""
        found = self.tokens[self.place : self.place + len(words)]
        if len(found) < len(words):
            return False
        if not all(token.says(word) for token, word in zip(found, words, strict=True)):
            return False
        self.place += len(words)
        return True

    def sign(self, text: str) -> bool:
        token = self.peek()
        if token is None or token.kind != "sign" or token.text != text:
            return False
        self.place += 1
        return True

    def name(self) -> str | None:
        token = self.peek()
        if token is None or token.name is None:
            return None
        self.place += 1
        return token.name

    def qualified(self) -> tuple[str | None, str] | None:
        """Read a name with or without a schema; None where there is none, or a third part."""
        first = self.name()
        if first is None:
            return None
        if not self.sign("."):
            return None, first
        second = self.name()
        return None if second is None or self.sign(".") else (first, second)

    def rest(self) -> str:
        token = self.peek()
        return self.sql[token.start :].strip() if token else ""

    def ended(self) -> bool:
        return self.peek() is None


def read_statement(sql: str) -> Statement | None:
    """Read a statement; None for one that is never run."""
    parts = split_sql(sql)
    if len(parts) != 1:
        return None
    bare = parts[0]
    for read in (_create_index, _drop_index, _statistics, _drop_statistics, _analyze, _restore):
        statement = read(_Reader(bare), bare)
        if statement is not None:
            return statement
    setting = read_setting(bare)
    if setting is not None:
        return Statement(action=Action.SET, sql=bare, name=setting.name, setting=setting)
    return None


def is_allowed_postgresql(sql: str) -> bool:
    """Whether a statement changes nothing but indexes, statistics and harmless settings."""
    return read_statement(sql) is not None


def _create_index(reader: _Reader, sql: str) -> Statement | None:
    if not reader.accept("CREATE", "INDEX"):  # UNIQUE is a constraint
        return None
    reader.accept("CONCURRENTLY")
    reader.accept("IF", "NOT", "EXISTS")
    name = "" if reader.accept("ON") else reader.name()
    if name is None or (name and not reader.accept("ON")):
        return None
    only = reader.accept("ONLY")
    table = reader.qualified()
    token = reader.peek()
    if table is None or token is None or not (token.text == "(" or token.says("USING")):
        return None
    return Statement(
        action=Action.CREATE_INDEX,
        sql=sql,
        schema=table[0],
        name=name,
        table_schema=table[0],
        table=table[1],
        only=only,
        body=reader.rest(),
    )


def _drop_index(reader: _Reader, sql: str) -> Statement | None:
    if not reader.accept("DROP", "INDEX"):
        return None
    reader.accept("CONCURRENTLY")
    reader.accept("IF", "EXISTS")
    index = reader.qualified()
    reader.accept("RESTRICT")
    if index is None or not reader.ended():  # several at once, or CASCADE
        return None
    return Statement(action=Action.DROP_INDEX, sql=sql, schema=index[0], name=index[1])


def _statistics(reader: _Reader, sql: str) -> Statement | None:
    if not reader.accept("CREATE", "STATISTICS"):
        return None
    reader.accept("IF", "NOT", "EXISTS")
    found = reader.qualified()
    if found is None:
        return None
    begin, depth = reader.place, 0
    while (token := reader.peek()) is not None and not (depth == 0 and token.says("FROM")):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        reader.place += 1
    body = sql[reader.tokens[begin].start : reader.tokens[reader.place - 1].end]
    if not reader.accept("FROM") or begin == reader.place - 1:
        return None
    table = reader.qualified()
    if table is None or not reader.ended():
        return None
    return Statement(
        action=Action.CREATE_STATISTICS,
        sql=sql,
        schema=found[0],
        name=found[1],
        table_schema=table[0],
        table=table[1],
        body=body,
    )


def _drop_statistics(reader: _Reader, sql: str) -> Statement | None:
    if not reader.accept("DROP", "STATISTICS"):
        return None
    reader.accept("IF", "EXISTS")
    found = reader.qualified()
    reader.accept("RESTRICT")
    if found is None or not reader.ended():
        return None
    return Statement(action=Action.DROP_STATISTICS, sql=sql, schema=found[0], name=found[1])


def _analyze(reader: _Reader, sql: str) -> Statement | None:
    if not reader.accept("ANALYZE"):
        return None
    reader.accept("VERBOSE")
    if reader.ended():
        return Statement(action=Action.ANALYZE, sql=sql)
    found = reader.qualified()
    if found is None:
        return None
    if reader.sign("("):
        while reader.name() is not None and reader.sign(","):
            pass
        if not reader.sign(")"):
            return None
    if not reader.ended():
        return None
    return Statement(action=Action.ANALYZE, sql=sql, table_schema=found[0], table=found[1])


def _restore(reader: _Reader, sql: str) -> Statement | None:
    if reader.accept("ALTER", "INDEX"):
        return _altered_index(reader, sql)
    if reader.accept("ALTER", "TABLE"):
        found = reader.qualified()
        fits = reader.accept("CLUSTER", "ON") and reader.name() is not None
    elif reader.accept("ALTER", "STATISTICS"):
        found = reader.qualified()
        fits = reader.accept("SET", "STATISTICS") and _number(reader)
    elif reader.accept("COMMENT", "ON", "INDEX") or reader.accept("COMMENT", "ON", "STATISTICS"):
        found = reader.qualified()
        fits = reader.accept("IS") and _text(reader)
    else:
        return None
    if found is None or not fits or not reader.ended():
        return None
    return Statement(action=Action.RESTORE, sql=sql, schema=found[0], name=found[1])


def _altered_index(reader: _Reader, sql: str) -> Statement | None:
    found = reader.qualified()
    if found is None:
        return None
    if reader.accept("ATTACH", "PARTITION"):
        part = reader.qualified()
        if part is None or not reader.ended():
            return None
        return Statement(
            action=Action.ATTACH_INDEX,
            sql=sql,
            schema=found[0],
            name=found[1],
            table_schema=part[0],
            table=part[1],
        )
    if not reader.accept("ALTER"):
        return None
    reader.accept("COLUMN")
    fits = _number(reader) and reader.accept("SET", "STATISTICS") and _number(reader)
    if not fits or not reader.ended():
        return None
    return Statement(action=Action.RESTORE, sql=sql, schema=found[0], name=found[1])


def _number(reader: _Reader) -> bool:
    token = reader.peek()
    reader.place += 1
    return token is not None and token.kind == "number"


def _text(reader: _Reader) -> bool:
    token = reader.peek()
    reader.place += 1
    return token is not None and token.kind == "string"
