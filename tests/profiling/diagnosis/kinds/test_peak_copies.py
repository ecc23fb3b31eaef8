"""Copies that make the peak of memory."""

from __future__ import annotations

from textwrap import dedent

import pytest

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Allocation, Memory
from tests.profiling.diagnosis.kinds.claims import kinds_in

MB = 1 << 20


def at_peak(
    text: str, where: str, *, held: int = 96, peak: int = 100, end: int = 0
) -> dict[str, str]:
    """What is said of a line that held so many MB at the peak of a run."""
    allocation = Allocation(frame=frame_of(dedent(text), where), size_bytes=held * MB, count=1)
    memory = Memory(start_bytes=0, end_bytes=end * MB, peak_bytes=peak * MB, at_peak=(allocation,))
    return kinds_in(example(text, memory=memory))


NAMED = """
    def total(rows):
        amounts = sorted(rows)
        return sum(amounts)
"""


def test_a_list_that_is_made_to_be_summed_once_is_found() -> None:
    assert at_peak(NAMED, "amounts = sorted") == {"total": "temp-copies"}


def test_a_small_peak_is_no_burden() -> None:
    assert at_peak(NAMED, "amounts = sorted", held=4, peak=5) == {}


def test_what_is_still_there_at_the_end_is_no_peak() -> None:
    assert at_peak(NAMED, "amounts = sorted", end=90) == {}


def test_a_small_part_of_the_peak_is_left_alone() -> None:
    assert at_peak(NAMED, "amounts = sorted", held=9) == {}


@pytest.mark.parametrize(
    "use", ["return amounts", "return sum(amounts) / len(amounts)", "store.keep(amounts)"]
)
def test_a_list_that_is_kept_or_used_twice_is_needed(use: str) -> None:
    text = f"""
        def total(rows, store):
            amounts = sorted(rows)
            {use}
    """
    assert at_peak(text, "amounts = sorted") == {}


def test_a_list_that_is_gone_through_in_each_turn_of_a_loop_is_needed() -> None:
    text = """
        def total(rows, names):
            amounts = sorted(rows)
            for name in names:
                yield max(amounts)
    """
    assert at_peak(text, "amounts = sorted") == {}


def test_a_text_that_is_read_whole_to_be_split_is_held_twice() -> None:
    text = """
        def words(path):
            with open(path) as source:
                return source.read().split()
    """
    assert at_peak(text, "source.read()") == {"words": "temp-copies"}


def test_stages_that_make_a_list_for_the_next_one_are_found() -> None:
    text = """
        def total(rows):
            parsed = [parse(row) for row in rows]
            valid = [row for row in parsed if row.ok]
            return sum(valid)
    """
    assert at_peak(text, "parsed = [") == {"total": "temp-copies"}


def test_one_list_of_results_is_no_stage() -> None:
    text = """
        def total(rows):
            parsed = [parse(row) for row in rows]
            return sum(parsed)
    """
    assert at_peak(text, "parsed = [") == {}


def test_a_copy_that_is_the_result_is_none_to_drop() -> None:
    text = "def snapshot(rows):\n    return list(rows)\n"
    assert at_peak(text, "return list") == {}
