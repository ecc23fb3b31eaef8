"""Kinds of changes: each makes itself and takes itself back, any number of times."""

from perfwright.experiments.changes.sqlite import SqliteChange
from perfwright.experiments.changes.sqlite_inverse import spec_from_sql, statistics_restore
from perfwright.experiments.changes.sqlite_sql import is_allowed, split_statements

__all__ = ["SqliteChange", "is_allowed", "spec_from_sql", "split_statements", "statistics_restore"]
