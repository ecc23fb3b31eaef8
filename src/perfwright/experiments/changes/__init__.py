"""Kinds of changes: each makes itself and takes itself back, any number of times."""

from perfwright.experiments.changes.postgresql.change import (
    POSTGRESQL_DDL,
    POSTGRESQL_SETTING,
    PostgresChange,
)
from perfwright.experiments.changes.postgresql.connection import require_driver
from perfwright.experiments.changes.postgresql.inverse import spec_from_postgresql_sql
from perfwright.experiments.changes.postgresql.policy import Policy
from perfwright.experiments.changes.postgresql.session import Surroundings
from perfwright.experiments.changes.postgresql.settings import HARMLESS_SETTINGS
from perfwright.experiments.changes.postgresql.sql import is_allowed_postgresql
from perfwright.experiments.changes.postgresql.twins import refuse_made
from perfwright.experiments.changes.postgresql.watching import TrafficWatch
from perfwright.experiments.changes.sqlite.change import SqliteChange
from perfwright.experiments.changes.sqlite.inverse import spec_from_sql, statistics_restore
from perfwright.experiments.changes.sqlite.sql import is_allowed, split_statements

__all__ = [
    "HARMLESS_SETTINGS",
    "POSTGRESQL_DDL",
    "POSTGRESQL_SETTING",
    "Policy",
    "PostgresChange",
    "SqliteChange",
    "Surroundings",
    "TrafficWatch",
    "is_allowed",
    "is_allowed_postgresql",
    "refuse_made",
    "require_driver",
    "spec_from_postgresql_sql",
    "spec_from_sql",
    "split_statements",
    "statistics_restore",
]
