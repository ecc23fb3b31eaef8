"""Which statements read rows, which change them, and which do neither."""

from __future__ import annotations

from itertools import pairwise

from perfwright.agents.database.catalog import Dialect
from perfwright.agents.database.workload.lexing import Token, tokenize

_WRITES: dict[Dialect, frozenset[str]] = {
    "sqlite": frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE"}),
    "postgres": frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"}),
}
_READS: dict[Dialect, frozenset[str]] = {
    "sqlite": frozenset({"SELECT", "VALUES", "WITH"}),
    "postgres": frozenset({"SELECT", "VALUES", "WITH", "TABLE"}),
}
_OTHERS: dict[Dialect, frozenset[str]] = {
    "sqlite": frozenset(
        {"ALTER", "ANALYZE", "ATTACH", "BEGIN", "COMMIT", "CREATE", "DETACH", "DROP", "END"}
        | {"EXPLAIN", "PRAGMA", "REINDEX", "RELEASE", "ROLLBACK", "SAVEPOINT", "VACUUM"}
    ),
    "postgres": frozenset(
        {"ABORT", "ALTER", "ANALYZE", "ANALYSE", "BEGIN", "CALL", "CHECKPOINT", "CLOSE", "CLUSTER"}
        | {"COMMENT", "COMMIT", "COPY", "CREATE", "DEALLOCATE", "DECLARE", "DISCARD", "DO", "DROP"}
        | {"END", "EXECUTE", "EXPLAIN", "FETCH", "GRANT", "IMPORT", "LISTEN", "LOAD", "LOCK"}
        | {"MOVE", "NOTIFY", "PREPARE", "REASSIGN", "REFRESH", "REINDEX", "RELEASE", "RESET"}
        | {"REVOKE", "ROLLBACK", "SAVEPOINT", "SECURITY", "SET", "SHOW", "START", "TRUNCATE"}
        | {"UNLISTEN", "VACUUM"}
    ),
}
# What follows the verb of a write within WITH: tells it from a column of that name.
_AFTER_VERB = {"INSERT": {"INTO"}, "DELETE": {"FROM"}, "MERGE": {"INTO"}}


def changes_rows(tokens: list[Token], dialect: Dialect) -> bool | None:
    """Tell writes (True), reads (False) and all other statements (None) apart.

    A SELECT ... FOR UPDATE locks rows and changes none: a read. A SELECT ... INTO of PostgreSQL
    makes a table: neither.
    """
    first = next((t.text.upper() for t in tokens if t.kind == "word"), "")
    if first in _WRITES[dialect]:
        return True
    if first not in _READS[dialect]:
        return None
    if dialect == "postgres":
        return _postgres_read(tokens, first=first)
    depth = 0
    for token in tokens:  # WITH ... INSERT: the verb stands outside of all parentheses
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and first == "WITH" and token.text.upper() in _WRITES["sqlite"] - {"REPLACE"}:
            return True
    return False


def is_known(sql: str, dialect: Dialect) -> bool:
    """Tell a statement of a kind that the database knows, by its first word.

    A lone comment is one.
    """
    first = next((token for token in tokenize(sql, dialect) if token.text not in ";("), None)
    known = _WRITES[dialect] | _READS[dialect] | _OTHERS[dialect]
    return first is None or first.text.upper() in known


def _postgres_read(tokens: list[Token], *, first: str) -> bool | None:
    if first == "WITH" and _writes_within(tokens):
        return True
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.kind == "word" and token.text.upper() == "INTO":
            return None
    return False


def _writes_within(tokens: list[Token]) -> bool:
    """Whether a part of WITH, or the statement after it, is a write."""
    before = tokens[0]
    for token, following in pairwise(tokens):
        verb = token.text.upper()
        if before.text in {"(", ")"} and token.kind == "word" and verb in _WRITES["postgres"]:
            after = _AFTER_VERB.get(verb)
            if following.text.upper() in after if after else following.kind in {"word", "quoted"}:
                return True
        before = token
    return False
