"""Kinds of changes: each makes itself and takes itself back, any number of times."""

from perfwright.experiments.changes.postgresql import (
    POSTGRESQL_DDL,
    POSTGRESQL_SETTING,
    PostgresChange,
)
from perfwright.experiments.changes.postgresql_connection import require_driver
from perfwright.experiments.changes.postgresql_inverse import spec_from_postgresql_sql
from perfwright.experiments.changes.postgresql_policy import Policy
from perfwright.experiments.changes.postgresql_session import Surroundings
from perfwright.experiments.changes.postgresql_settings import HARMLESS_SETTINGS
from perfwright.experiments.changes.postgresql_sql import is_allowed_postgresql
from perfwright.experiments.changes.postgresql_watching import TrafficWatch
from perfwright.experiments.changes.sqlite import SqliteChange
from perfwright.experiments.changes.sqlite_inverse import spec_from_sql, statistics_restore
from perfwright.experiments.changes.sqlite_sql import is_allowed, split_statements

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
    "require_driver",
    "spec_from_postgresql_sql",
    "spec_from_sql",
    "split_statements",
    "statistics_restore",
]
