"""The tables of the ledger, for SQLite and PostgreSQL alike."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

SCHEMA_VERSION = 1

metadata = MetaData()

meta = Table(
    "perfwright_meta",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("value", String(200), nullable=False),
)

runs = Table(
    "perfwright_runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("started", String(40), nullable=False),
    Column("status", String(20), nullable=False),
    Column("target", Text, nullable=False),
    Column("owner_pid", Integer),
    Column("document", Text, nullable=False),
    Column("digest", String(64), nullable=False),
)
"""`document` is the whole `RunRecord` as JSON without its experiments, which have rows."""

experiments = Table(
    "perfwright_experiments",
    metadata,
    Column("id", String(60), primary_key=True),
    Column("run", String(40), ForeignKey("perfwright_runs.id"), nullable=False),
    Column("place", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Index("perfwright_experiments_run", "run", "place"),
)

changes = Table(
    "perfwright_changes",
    metadata,
    Column("id", String(60), primary_key=True),
    Column("run", String(40), nullable=False),
    Column("experiment", String(60), nullable=False),
    Column("target", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("updated", String(40), nullable=False),
    Column("note", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Index("perfwright_changes_state", "state"),
)
"""`document` is the `ChangeSpec` with its inverse; it never changes after it was written."""

events = Table(
    "perfwright_events",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", String(40), nullable=False),
    Column("run", String(40), nullable=False),
    Column("subject", String(60), nullable=False),
    Column("what", Text, nullable=False),
)
"""Every state change, append-only."""
