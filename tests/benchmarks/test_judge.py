"""The figures by which advice is compared."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def judge() -> ModuleType:
    return importlib.import_module("_judge")


def test_the_square_root_of_the_experts_factor_is_half_of_the_gain(judge: ModuleType) -> None:
    share = judge.read_gain_share({"read_pages_ratio": 4.0}, {"read_pages_ratio": 16.0})
    assert share == pytest.approx(0.5)


def test_pages_are_saved_per_mebibyte_of_new_index(judge: ModuleType) -> None:
    row = {"base_pages": 1_000, "read_pages": 400, "new_bytes": 2 << 20}
    assert judge.pages_per_mebibyte(row) == pytest.approx(300.0)


def test_pages_saved_without_any_bytes_are_infinitely_cheap(judge: ModuleType) -> None:
    row = {"base_pages": 1_000, "read_pages": 400, "new_bytes": 0, "net_bytes": -8_192}
    assert judge.pages_per_mebibyte(row, size="net_bytes") == math.inf


def test_one_disturbed_pair_does_not_move_the_ratio(judge: ModuleType) -> None:
    def phase(seconds: float) -> object:
        return judge.WritePhase(1.0, seconds, seconds)

    pairs = [(phase(1.0), phase(1.1)), (phase(1.0), phase(9.0)), (phase(2.0), phase(2.2))]
    assert judge.median_ratio(pairs, lambda one: one.seconds) == pytest.approx(1.1)


@pytest.mark.parametrize("name", ["desk", "parcel"])
def test_a_data_set_is_found_by_name(judge: ModuleType, name: str) -> None:
    assert judge.find_dataset(name).name == f"{name}.py"


def test_a_data_set_is_found_by_path(judge: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.touch()
    assert judge.find_dataset(str(path)) == path


def test_an_unknown_data_set_ends_the_program(judge: ModuleType) -> None:
    with pytest.raises(SystemExit, match="no data set nowhere"):
        judge.find_dataset("nowhere")
