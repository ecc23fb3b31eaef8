"""Foreign keys whose child rows are found by a scan."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.examples import artifacts, foreign_key, index, table
from perfwright.agents.database.facts import ForeignKeyFacts
from perfwright.agents.database.upkeep import is_supported
from perfwright.core import Detector, Finding, Layer, Scope

MIN_ROWS = 1_000  # scanned in less than the time of a commit
ROW_MS = 1e-4  # to scan one row


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each foreign key that no index leads with."""
    deletes = {
        (o.target or "").casefold(): o.shape.calls
        for o in artifacts.writes
        if o.shape.text.lstrip().startswith("delete")
    }
    for key in artifacts.catalog.foreign_keys:
        child = artifacts.catalog.table(key.table)
        if child is None or child.virtual or child.rows < MIN_ROWS:
            continue
        if is_supported(key, artifacts.catalog):
            continue
        calls = deletes.get(key.parent.casefold(), 0)
        yield Finding(
            subject=f"{key.table}({', '.join(key.columns)}) references {key.parent}",
            evidence=f"deleting from {key.parent} scans {child.rows} rows of {key.table}; "
            + (f"{calls} deletes in the workload" if calls else "no delete in the workload")
            + _counted(artifacts, key.parent),
            cost=calls * child.rows * ROW_MS,
            confidence=0.9 if calls else 0.4,
            facts=ForeignKeyFacts(key=key),
        )


def _counted(artifacts: DatabaseArtifacts, parent: str) -> str:
    table = artifacts.catalog.table(parent)
    activity = table.activity if table else None
    return "" if activity is None else f", {activity.deleted} counted by the server"


RULE = Detector(
    id="unindexed-foreign-key",
    layer=Layer.DATABASE,
    title="Index the columns of the foreign key",
    why="Deleting or renumbering a parent row has to find its children.",
    needs=("catalog",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="It matters only where parents are deleted or renumbered; in SQLite, only where the "
    "program sets PRAGMA foreign_keys=ON.",
    fires_on=artifacts(foreign_keys=(foreign_key("customer"),), tables=(table("customers"),)),
    silent_on=artifacts(
        foreign_keys=(foreign_key("customer"),),
        tables=(table("customers"),),
        indexes=(index("by_customer", "customer", "placed"),),
    ),
)
