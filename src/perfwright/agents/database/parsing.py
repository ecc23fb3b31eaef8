"""The one door to sqlglot's parser."""

from __future__ import annotations

import logging
import re

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

_REPLACE = re.compile(r"^\s*REPLACE\s+INTO\b", re.IGNORECASE)
# sqlglot warns of what it does not know on standard error; here that is an answer, not an accident.
logging.getLogger("sqlglot").addFilter(lambda record: record.levelno > logging.WARNING)

ParseFailure = (SqlglotError, RecursionError)
"""What parsing raises: RecursionError for expressions nested hundreds deep."""


def parse_sql(sql: str) -> exp.Expr:
    """Parse exactly one statement or expression.

    Raises:
        SqlglotError: If it does not parse.
        RecursionError: If it is nested too deeply.
    """
    # sqlglot knows the long form only.
    sql = _REPLACE.sub("INSERT OR REPLACE INTO", sql)
    parsed = [e for e in parse(sql, read="sqlite") if e is not None]
    if len(parsed) != 1 or isinstance(parsed[0], exp.Command):
        raise SqlglotError("is not one statement that can be parsed")
    return parsed[0]
