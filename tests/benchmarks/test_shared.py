"""Shares, tables and the background load of the benchmarks."""

from __future__ import annotations

import importlib
import random
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def shared() -> ModuleType:
    return importlib.import_module("_shared")


@pytest.mark.parametrize(
    ("hits", "of", "interval"),
    [
        (10, 100, (0.0552, 0.1744)),
        (0, 40, (0.0, 0.0876)),
        (40, 40, (0.9124, 1.0)),
    ],
)
def test_the_interval_of_a_share_is_that_of_wilson(
    shared: ModuleType, hits: int, of: int, interval: tuple[float, float]
) -> None:
    assert shared.Share(hits, of).interval == pytest.approx(interval, abs=1e-4)


def test_a_share_is_printed_in_percent_with_its_interval(shared: ModuleType) -> None:
    assert str(shared.Share(10, 100)) == "10.0 % (5.5-17.4)"


def test_nothing_out_of_nothing_says_nothing(shared: ModuleType) -> None:
    assert shared.Share(0, 0).interval == (0.0, 1.0)


def test_a_table_is_aligned_markdown(shared: ModuleType) -> None:
    assert shared.table(["rule", "kept"], [["mean", 1], ["minimum", 20]]).splitlines() == [
        "| rule    | kept |",
        "|---------|------|",
        "| mean    | 1    |",
        "| minimum | 20   |",
    ]


def test_the_background_load_ends_with_its_block(shared: ModuleType) -> None:
    with shared.background_load(random.Random(1), stretch_s=(0.1, 0.2), limit_s=30.0) as pid:
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()
