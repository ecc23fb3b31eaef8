"""The yardsticks of the cache benchmark: traces are read as they were, Belady is the optimum."""

from __future__ import annotations

import importlib
import lzma
import struct
from array import array
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.conftest import BENCHMARKS


@pytest.fixture
def traces() -> ModuleType:
    return importlib.import_module("_traces")


def best_possible(keys: tuple[int, ...], capacity: int) -> int:
    """Try every choice of what to evict; an absent key must be stored."""

    @cache
    def hits_from(position: int, stored: frozenset[int]) -> int:
        if position == len(keys):
            return 0
        key = keys[position]
        if key in stored:
            return 1 + hits_from(position + 1, stored)
        if len(stored) < capacity:
            return hits_from(position + 1, stored | {key})
        return max(hits_from(position + 1, (stored - {victim}) | {key}) for victim in stored)

    return hits_from(0, frozenset())


@given(
    keys=st.lists(st.integers(min_value=0, max_value=4), min_size=1, max_size=14),
    capacity=st.integers(min_value=1, max_value=4),
)
def test_belady_finds_the_most_hits_that_are_possible(keys: list[int], capacity: int) -> None:
    with pytest.MonkeyPatch.context() as patch:  # once per example, so no fixture
        patch.syspath_prepend(BENCHMARKS)
        bench = importlib.import_module("cache_hit_ratio")
    requests = array("I", keys)
    upcoming = bench.next_uses(requests, 5)
    found = bench.belady_hits(requests, upcoming, distinct=5, capacity=capacity)
    assert found == best_possible(tuple(keys), capacity)


def test_a_recorded_trace_is_read_back(traces: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "tiny.ktr.xz"
    file.write_bytes(lzma.compress(b"KTR1" + struct.pack("<6I", 4, 3, 0, 1, 0, 2)))
    assert traces.read(file) == traces.Trace("tiny", array("I", [0, 1, 0, 2]), 3)


@pytest.mark.parametrize("content", [b"KTR2" + bytes(8), b"KTR1" + struct.pack("<3I", 2, 1, 0)])
def test_a_foreign_or_cut_file_is_refused(
    traces: ModuleType, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "bad.ktr.xz"
    file.write_bytes(lzma.compress(content))
    with pytest.raises(SystemExit, match=r"bad\.ktr\.xz"):
        traces.read(file)


def test_the_traces_of_the_repository_hold_what_their_header_says(traces: ModuleType) -> None:
    found = list(traces.recorded(BENCHMARKS / "data" / "cache-traces"))
    assert {trace.name: len(trace.keys) for trace in found} == {
        "lirs-multi2": 26_311,
        "web07": 76_118,
    }
    assert all(len(set(trace.keys)) == trace.distinct for trace in found)


def test_every_kind_is_drawn_to_the_length_asked_for(traces: ModuleType) -> None:
    drawn = list(traces.drawn(1, requests=3_000))
    assert {len(trace.keys) for trace in drawn} == {3_000}
    assert [trace.name for trace in drawn] == list(traces.KINDS)


def test_the_same_seed_draws_the_same(traces: ModuleType) -> None:
    assert list(traces.drawn(7, requests=500)) == list(traces.drawn(7, requests=500))
