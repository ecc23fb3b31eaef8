"""Sorts that did not fit into memory."""

from __future__ import annotations

from perfwright.agents.database.detectors.temp_spill import find
from perfwright.agents.database.facts import SettingFacts
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import DatabaseCounters, ServerState, Setting
from perfwright.core import Finding


def found(*, files: int, size: int, age_s: float) -> list[Finding]:
    counters = DatabaseCounters(temp_files=files, temp_bytes=files * size, age_s=age_s)
    memory = Setting(name="work_mem", value="4096", unit="kB")
    return list(find(looked_at(ServerState(counters=counters, settings=(memory,)))))


def test_a_few_a_month_do_not_matter() -> None:
    assert found(files=100, size=2**22, age_s=30 * 86_400) == []


def test_one_large_build_does_not_matter() -> None:
    assert found(files=2, size=2**31, age_s=3_600) == []


def test_the_setting_travels_with_the_finding() -> None:
    (finding,) = found(files=1_000, size=2**24, age_s=86_400)
    assert finding.facts == SettingFacts(setting="work_mem", value="4096", unit="kB")
