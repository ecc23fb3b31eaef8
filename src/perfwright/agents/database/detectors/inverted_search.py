"""Searches within values, such as `LIKE '%x%'` or `@>`, that read row after row."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import (
    INVERTED,
    Access,
    DatabaseArtifacts,
    Operator,
    Term,
)
from perfwright.agents.database.catalog import Column, Table
from perfwright.agents.database.examples import artifacts as of_sqlite
from perfwright.agents.database.examples import postgres, postgres_table, read, step
from perfwright.agents.database.facts import access_finding, accesses_of, busy, is_wasteful
from perfwright.agents.database.inverted import gin_key, missing_extension
from perfwright.core import Detector, Finding, Layer, Scope

_WORDS: dict[Operator, str] = {
    "like": "for a pattern in {}",
    "contains": "for what {} contains",
    "keys": "for keys of {}",
    "overlap": "for elements of {}",
    "match": "for words in {}",
}


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each such term of an access that reads most rows in vain."""
    for observation in busy(artifacts):
        for plan_step in observation.plan:
            if plan_step.action != "scan" and not is_wasteful(plan_step):
                continue
            for access in accesses_of(observation, plan_step):
                table = artifacts.catalog.table(access.table)
                for term in _terms(access):
                    words = _evidence(term, table, artifacts=artifacts) if table else ""
                    if words:
                        yield access_finding(
                            observation, access, evidence=f"reads {access.table} {words}"
                        )


def _terms(access: Access) -> tuple[Term, ...]:
    terms = (*access.terms, *(term for side in access.branches for term in side))
    return tuple(dict.fromkeys(t for t in terms if t.operator in INVERTED))


def _evidence(term: Term, table: Table, *, artifacts: DatabaseArtifacts) -> str:
    """Tell what is looked for, and what is missing; empty where no index could answer it."""
    catalog = artifacts.catalog
    words = _WORDS[term.operator].format(term.key)
    if gin_key(term, table, catalog=catalog) is not None:
        return words
    missing = missing_extension(term, table, catalog=catalog)
    if not missing:
        return ""
    offered = missing in catalog.available_extensions
    return f"{words}; an index needs the extension {missing}, which is " + (
        f"not installed: CREATE EXTENSION {missing}" if offered else "not on this server"
    )


_TAGS = Access(
    table="page",
    alias="page",
    terms=(Term(key='"tags"', column="tags", operator="contains"),),
)
_PAGES = (postgres_table("page", Column(name="tags", type="jsonb")),)
RULE = Detector(
    id="inverted-search",
    layer=Layer.DATABASE,
    title="Index what is within the values (GIN)",
    why="A B-tree knows values by their beginning; what is inside of them is found row by row.",
    needs=("workload",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="A pattern with fewer than three letters in a row is found, too, but no index of "
    "trigrams helps it. A missing extension is named, never installed.",
    fires_on=postgres(
        read(_TAGS, plan=(step(table="page", removed=99_000),), steps=2_000), tables=_PAGES
    ),
    silent_on=of_sqlite(read(_TAGS, plan=(step(table="page", removed=99_000),))),
)
