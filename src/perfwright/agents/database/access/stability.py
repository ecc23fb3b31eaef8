"""Expressions whose value changes from one execution to the next: no part of an index."""

from __future__ import annotations

from sqlglot import exp

from perfwright.agents.database.catalog import Dialect

_KINDS = (
    exp.CurrentCatalog,
    exp.CurrentDate,
    exp.CurrentDatetime,
    exp.CurrentRole,
    exp.CurrentSchema,
    exp.CurrentTime,
    exp.CurrentTimestamp,
    exp.CurrentUser,
    exp.Localtime,
    exp.Localtimestamp,
    exp.Rand,
    exp.SessionUser,
    exp.Uuid,
)
_FUNCTIONS = frozenset(
    {"age", "clock_timestamp", "currval", "current_setting", "gen_random_uuid", "lastval"}
    | {"nextval", "now", "pg_backend_pid", "random", "setval", "statement_timestamp", "timeofday"}
    | {"transaction_timestamp", "txid_current", "uuid_generate_v1", "uuid_generate_v4"}
)


def is_unstable(node: exp.Expr, dialect: Dialect) -> bool:
    """Whether PostgreSQL would refuse an index on `node` since the clock or the session is in it.

    SQLite is asked when the index is built.
    """
    if dialect == "sqlite":
        return False
    return node.find(*_KINDS) is not None or any(
        str(call.this).lower() in _FUNCTIONS
        and (str(call.this).lower() != "age" or _is_single(call))
        for call in node.find_all(exp.Anonymous)
    )


def _is_single(call: exp.Anonymous) -> bool:
    return len(call.expressions) == 1  # age(x) takes today for the other
