"""Reads back the CREATE INDEX statements that designs write."""

from __future__ import annotations

import re
from dataclasses import dataclass

from perfwright.agents.database.catalog import Catalog, Index, IndexKey

_NAME = r'"(?:[^"]|"")*"'
_HEAD = re.compile(
    rf"CREATE INDEX (?:CONCURRENTLY )?IF NOT EXISTS (?P<name>{_NAME}) ON (?:ONLY )?"
    rf"(?P<relation>{_NAME}(?:\.{_NAME})?)(?: USING (?P<method>\w+))? ?(?=\()"
)
_INCLUDE, _WHERE = " INCLUDE ", " WHERE "
_COLUMN = re.compile(rf"(?P<name>{_NAME})(?P<down> DESC)?(?: NULLS (?P<nulls>FIRST|LAST))?")
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|.""", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One index as a statement describes it."""

    name: str
    relation: str
    """The table in SQL, quoted."""
    method: str
    keys: tuple[str, ...]
    """Each with its direction and all, in SQL."""
    included: tuple[str, ...]
    """Quoted."""
    where: str

    def extends(self, other: Definition) -> bool:
        """Whether it is the other one with more columns behind its own."""
        alike = (self.relation, self.method, self.where) == (
            other.relation,
            other.method,
            other.where,
        )
        begins = self.keys[: len(other.keys)] == other.keys
        carries = set(other.included) <= {*self.included, *self.keys}
        longer = len(self.keys) > len(other.keys) or set(self.included) > set(other.included)
        return alike and begins and carries and longer and self.method == "btree"

    def as_index(self, catalog: Catalog) -> Index | None:
        """The index as the catalog shows it; None unless it holds plain columns of all rows."""
        matches = [_COLUMN.fullmatch(key) for key in self.keys]
        table = next((t for t in catalog.tables if t.relation == self.relation), None)
        found = [match for match in matches if match is not None]
        if table is None or self.where or len(found) < len(matches):
            return None
        return Index(
            name=self.name,
            table=table.name,
            keys=tuple(
                IndexKey(
                    column=_unquoted(match["name"]),
                    descending=bool(match["down"]),
                    nulls=match["nulls"] or "",
                )
                for match in found
            ),
            method=self.method,
            included=tuple(map(_unquoted, self.included)),
        )


def read_definition(statement: str) -> Definition | None:
    """Take a CREATE INDEX statement of a design apart; None for every other statement."""
    head = _HEAD.match(statement)
    if head is None:
        return None
    keys, end = _list(statement, head.end())
    included: tuple[str, ...] = ()
    if statement.startswith(_INCLUDE, end):
        included, end = _list(statement, end + len(_INCLUDE))
    return Definition(
        name=_unquoted(head["name"]),
        relation=head["relation"],
        method=head["method"] or "btree",
        keys=keys,
        included=included,
        where=statement[end:].removeprefix(_WHERE),
    )


def _list(text: str, start: int) -> tuple[tuple[str, ...], int]:
    """Return the parts of a parenthesised list, and where it ends."""
    parts, depth, begin = [], 0, start + 1
    for match in _TOKEN.finditer(text, start):
        sign = match[0]
        depth += (sign == "(") - (sign == ")")
        if (sign == "," and depth == 1) or not depth:
            parts.append(text[begin : match.start()].strip())
            begin = match.end()
        if not depth:
            return tuple(parts), begin
    return tuple(parts), len(text)


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"')
