"""The yardstick of the routing benchmark: known orders have known areas."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from perfwright.llm.routing import PairedOutcome


@pytest.fixture
def bench() -> ModuleType:
    return importlib.import_module("llm_routing")


def outcomes(gains: list[int]) -> list[PairedOutcome]:
    return [PairedOutcome(prompt="", weak=gain < 0, strong=gain > 0) for gain in gains]


@pytest.mark.parametrize(
    ("gains", "area"),
    [([1, 0], 2 / 3), ([0, 1], 1 / 3), ([1, 1], 1 / 2), ([1, 1, -1], (0 + 1 + 2 + 1) / 4)],
)
def test_the_area_is_the_mean_share_of_the_gap(
    bench: ModuleType, gains: list[int], area: float
) -> None:
    order = range(len(gains))
    assert bench.apgr(order, outcomes(gains), Counter(order)) == pytest.approx(area)


def test_a_prompt_that_is_drawn_twice_counts_twice(bench: ModuleType) -> None:
    twice = bench.apgr([0, 1], outcomes([1, 0]), Counter({0: 2, 1: 1}))
    assert twice == pytest.approx(bench.apgr([0, 1, 2], outcomes([1, 1, 0]), Counter(range(3))))


def test_the_share_of_strong_calls_is_the_smallest_that_recovers_the_gap(
    bench: ModuleType,
) -> None:
    assert bench.strong_share([0, 1, 2, 3], outcomes([1, 0, 1, 0]), 0.5) == 0.25
    assert bench.strong_share([0, 1, 2, 3], outcomes([1, 0, 1, 0]), 0.8) == 0.75


def test_a_file_without_outcomes_says_what_is_needed(bench: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "x"}\n')
    with pytest.raises(SystemExit, match="prompt, weak, strong"):
        bench.read(path)
