"""Sorts and hashes that did not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.facts import SettingFacts
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import DatabaseCounters, ServerState, Setting
from perfwright.core import Detector, Finding, Layer, Scope
from perfwright.core.units import format_size

MIN_FILES = 20
MIN_BYTES = 64 * 2**20
MIN_PER_DAY_BYTES = 2**30  # less hardly loads a disk


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding when temporary files were written, and not just once."""
    counters = artifacts.server.counters if artifacts.server else None
    if counters is None or counters.temp_files < MIN_FILES or counters.temp_bytes < MIN_BYTES:
        return
    days = max(counters.age_s or 0.0, 3_600.0) / 86_400.0
    if counters.temp_bytes / days < MIN_PER_DAY_BYTES:
        return
    memory = artifacts.server.setting("work_mem") if artifacts.server else None
    yield Finding(
        subject="work_mem",
        evidence=f"{counters.temp_files} temporary files of "
        f"{format_size(counters.temp_bytes // counters.temp_files)} on average, "
        f"{format_size(int(counters.temp_bytes / days))} a day"
        + (f"; work_mem is {memory.value} {memory.unit}" if memory else "")
        + "; raise it for the role or the statement that needs it, since every sort of every "
        "connection may take that much",
        cost=0.0,
        confidence=0.7,
        facts=SettingFacts(
            setting="work_mem",
            value=memory.value if memory else "",
            unit=memory.unit if memory else "",
        ),
    )


def _with(files: int) -> DatabaseArtifacts:
    counters = DatabaseCounters(temp_files=files, temp_bytes=files * 2**24, age_s=86_400.0)
    return looked_at(
        ServerState(
            counters=counters, settings=(Setting(name="work_mem", value="4096", unit="kB"),)
        )
    )


RULE = Detector(
    id="temp-spill",
    layer=Layer.DATABASE,
    title="Give large sorts the memory that they need",
    why="What exceeds work_mem is written to disk and read back.",
    needs=("server",),
    scope=Scope.COMPREHENSIVE,
    find=find,
    limits="The counters cover all statements since the reset, building indexes included.",
    fires_on=_with(500),
    silent_on=_with(3),
)
