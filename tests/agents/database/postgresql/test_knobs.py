"""Which settings may be searched, and what they are now."""

from __future__ import annotations

import pytest

from perfwright.agents.database.postgresql.knobs import (
    KNOBS,
    MEMORY_KNOBS,
    amount,
    present,
    present_values,
    workload_settings,
)
from perfwright.agents.database.server import RoleSetting, ServerState, Setting
from perfwright.core import Risk
from perfwright.experiments.changes import HARMLESS_SETTINGS


def test_every_knob_is_a_setting_that_may_be_changed() -> None:
    assert set(KNOBS) <= HARMLESS_SETTINGS


def test_no_knob_touches_durability_upkeep_or_a_plan_switch() -> None:
    forbidden = ("fsync", "synchronous", "full_page", "autovacuum", "enable_", "wal_")
    assert not [name for name in KNOBS if name.startswith(forbidden)]


def test_what_takes_memory_or_workers_is_no_low_risk() -> None:
    risky = {name for name, knob in KNOBS.items() if knob.risk is not Risk.LOW}
    assert risky == {*MEMORY_KNOBS, "max_parallel_workers_per_gather"}


def test_memory_is_only_raised_and_costs_are_only_lowered() -> None:
    assert KNOBS["work_mem"].beyond(24 * 1024)[0] == 32 * 1024
    assert KNOBS["random_page_cost"].beyond(1.8) == (1.5, 1.25, 1.1, 1.0)


def test_nothing_lies_beyond_the_bound() -> None:
    assert KNOBS["work_mem"].beyond(1024 * 1024) == ()
    assert KNOBS["jit"].beyond(0.0) == ()


@pytest.mark.parametrize(
    ("name", "text", "unit", "expected"),
    [
        ("work_mem", "4096", "kB", 4096.0),
        ("work_mem", "64MB", "", 65536.0),
        ("work_mem", "1 GB", "", 1048576.0),
        ("effective_cache_size", "524288", "8kB", 4194304.0),
        ("random_page_cost", "1.1", "", 1.1),
        ("jit", "on", "", 1.0),
        ("jit", "OFF", "", 0.0),
        ("hash_mem_multiplier", "2", "", 2.0),
    ],
)
def test_values_are_read_with_their_unit(name: str, text: str, unit: str, expected: float) -> None:
    assert amount(KNOBS[name], text, unit=unit) == expected


@pytest.mark.parametrize("text", ["", "much", "4 parsecs", "-"])
def test_what_is_no_value_is_none(text: str) -> None:
    assert amount(KNOBS["work_mem"], text) is None


def test_values_are_written_as_set_takes_them() -> None:
    assert KNOBS["work_mem"].text(65536.0) == "64MB"
    assert KNOBS["work_mem"].text(100.0) == "100kB"
    assert KNOBS["random_page_cost"].text(1.25) == "1.25"
    assert KNOBS["jit"].text(0.0) == "off"


def test_settings_that_are_no_knobs_are_passed_over() -> None:
    assert present_values((Setting(name="fsync", value="on"),)) == {}


def server(*settings: RoleSetting, role: str = "app") -> ServerState:
    return ServerState(
        database="shop",
        workload_role=role,
        settings=(Setting(name="work_mem", value="4096", unit="kB"),),
        role_settings=settings,
    )


OF_THE_DATABASE = RoleSetting(name="work_mem", value="8MB", database="shop")
OF_THE_ROLE = RoleSetting(name="work_mem", value="16MB", role="app")
OF_BOTH = RoleSetting(name="work_mem", value="32MB", role="app", database="shop")
OF_ANOTHER = RoleSetting(name="work_mem", value="1GB", role="reports")


@pytest.mark.parametrize(
    ("settings", "expected_mb"),
    [
        ((), 4),
        ((OF_ANOTHER,), 4),
        ((OF_THE_DATABASE,), 8),
        ((OF_THE_ROLE, OF_THE_DATABASE), 16),
        ((OF_BOTH, OF_THE_ROLE, OF_THE_DATABASE), 32),
    ],
)
def test_the_narrowest_setting_of_the_workload_counts(
    settings: tuple[RoleSetting, ...], expected_mb: int
) -> None:
    assert present(server(*settings), "work_mem") == expected_mb * 1024


def test_of_an_unknown_role_only_the_databases_settings_are_known() -> None:
    found = workload_settings(server(OF_THE_DATABASE, OF_THE_ROLE, role=""))
    assert found == {"work_mem": "8MB"}
