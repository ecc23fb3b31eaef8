"""How `benchmarks/compare_hyperfine.py` makes its commands, reads hyperfine and keeps score."""

from __future__ import annotations

import importlib
import random
from pathlib import Path
from types import ModuleType

import pytest

from perfwright.experiments import Winner

SLOW = [1.10, 1.11, 1.09, 1.12, 1.08]
FAST = [1.00, 1.01, 0.99, 1.02, 0.98]
TIED = [1.005, 1.015, 0.995, 1.02, 0.985]


@pytest.fixture
def compare() -> ModuleType:
    return importlib.import_module("compare_hyperfine")


def test_a_difference_is_that_of_the_whole_command(compare: ModuleType) -> None:
    work = compare.Work(script=Path("loop.py"), turns=1000, startup_share=0.2)
    turns = [int(work.command(more=more).split()[-1]) for more in (0.0, 0.08)]
    assert 0.2 + 0.8 * turns[1] / turns[0] == pytest.approx(1.08)


def test_half_of_the_pairs_are_identical(compare: ModuleType) -> None:
    work = compare.Work(script=Path("loop.py"), turns=1000, startup_share=0.2)
    pairs = compare.make_pairs(work, each=5, rng=random.Random(1))
    assert [pair.a == pair.b for pair in pairs].count(True) == 5


@pytest.mark.parametrize("reading", ["summary_line", "summary_with_sigma", "welch"])
def test_every_reading_sees_a_clear_difference(compare: ModuleType, reading: str) -> None:
    read = getattr(compare, reading)
    assert (read(FAST, SLOW), read(SLOW, FAST)) == (Winner.A, Winner.B)


@pytest.mark.parametrize("reading", ["summary_line", "summary_with_sigma", "welch"])
def test_no_reading_sees_a_difference_of_less_than_a_percent(
    compare: ModuleType, reading: str
) -> None:
    assert getattr(compare, reading)(FAST, TIED) is Winner.INCONCLUSIVE


def test_only_the_plain_summary_claims_what_lies_within_the_spread(compare: ModuleType) -> None:
    wide = [0.5, 1.0, 1.5, 1.0, 1.2]
    assert (compare.summary_line(wide, FAST), compare.summary_with_sigma(wide, FAST)) == (
        Winner.B,
        Winner.INCONCLUSIVE,
    )


def test_the_score_tells_missed_from_wrong(compare: ModuleType) -> None:
    truths_and_claims = [
        (Winner.INCONCLUSIVE, Winner.INCONCLUSIVE),
        (Winner.INCONCLUSIVE, Winner.A),
        (Winner.A, Winner.A),
        (Winner.A, Winner.B),
        (Winner.B, Winner.INCONCLUSIVE),
    ]
    heard = [
        compare.Heard(
            pair=compare.Pair(a="a", b="b", truth=truth),
            ours=compare.Judgement(claims={compare.OURS: claim}, runs=40, elapsed_s=1.0),
            theirs=compare.Judgement(claims={}, runs=100, elapsed_s=2.0),
        )
        for truth, claim in truths_and_claims
    ]
    row = compare.score_row(compare.OURS, heard)
    assert [str(cell).split(":")[0] for cell in row[1:5]] == ["1", "1", "1", "1"]
