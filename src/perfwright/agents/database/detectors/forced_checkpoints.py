"""Checkpoints that come before their time."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.facts import SettingFacts
from perfwright.agents.database.postgresql_examples import DAY_S, looked_at
from perfwright.agents.database.server import Checkpoints, ServerState
from perfwright.core import Detector, Finding, Layer, Scope

MIN_CHECKPOINTS = 20
MIN_SHARE = 0.5
MIN_AGE_S = 3_600.0
PER_HOUR = 1.0


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding when most checkpoints were forced, and often."""
    server = artifacts.server
    seen = server.checkpoints if server else None
    if server is None or seen is None or seen.age_s is None or seen.age_s < MIN_AGE_S:
        return
    total = seen.timed + seen.requested
    hourly = seen.requested / (seen.age_s / 3_600.0)
    if total < MIN_CHECKPOINTS or seen.requested < MIN_SHARE * total or hourly < PER_HOUR:
        return
    size = server.setting("max_wal_size")
    yield Finding(
        subject="max_wal_size",
        evidence=f"{seen.requested} of {total} checkpoints were forced, {hourly:.1f} an hour"
        + (f"; max_wal_size is {size.value} {size.unit}" if size else "")
        + "; a larger one spreads them, for longer recovery after a crash",
        cost=0.0,
        confidence=0.6,
        facts=SettingFacts(
            setting="max_wal_size",
            value=size.value if size else "",
            unit=size.unit if size else "",
        ),
    )


def _with(requested: int) -> DatabaseArtifacts:
    return looked_at(
        ServerState(checkpoints=Checkpoints(timed=100, requested=requested, age_s=DAY_S))
    )


RULE = Detector(
    id="forced-checkpoints",
    layer=Layer.DATABASE,
    title="Let checkpoints come by the clock",
    why="Each one writes all changed pages, and the first change of each page after it is logged "
    "in full.",
    needs=("server",),
    scope=Scope.COMPREHENSIVE,
    find=find,
    limits="Bulk loads and backups force some, too.",
    fires_on=_with(400),
    silent_on=_with(3),
)
