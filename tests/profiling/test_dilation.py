"""What counting calls adds is taken out again."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.profiling.counting_cost import CountingCost, measure_counting
from perfwright.profiling.dilation import (
    LEAST_SHARE,
    scanning_lines,
    without_counting,
)
from perfwright.profiling.model import Call, Frame, Function, Stack

OWN = Function("/app/a.py", 1, "own")
HELPER = Function("/app/a.py", 9, "helper")
LEN = Function("~", 0, "builtins.len")
SORTED = Function("~", 0, "builtins.sorted")
COST = CountingCost(
    python_s=1e-6, from_c_s=0.4e-6, resume_s=0.2e-6, builtin_s=0.5e-6, clocked_s=0.0, slowness=0.0
)
SLOW = CountingCost(
    python_s=0.0, from_c_s=0.0, resume_s=0.0, builtin_s=0.0, clocked_s=0.0, slowness=1.0
)


def stack(function: Function, cpu_s: float, *, line: int = 5, wall_s: float | None = None) -> Stack:
    return Stack(
        frames=(Frame(function, line),),
        state="running",
        thread="MainThread",
        samples=1,
        wall_s=cpu_s if wall_s is None else wall_s,
        cpu_s=cpu_s,
    )


def call(
    callee: Function, count: int, *, caller: Function | None = OWN, self_s: float = 0.0
) -> Call:
    return Call(caller=caller, callee=callee, count=count, self_s=self_s, cumulative_s=self_s)


def left_s(
    stacks: list[Stack], calls: list[Call], *, cost: CountingCost = COST, source: str = ""
) -> list[float]:
    sources = {OWN.file: textwrap.dedent(source)} if source else {}
    kept = without_counting(stacks, calls, cost=cost, sources=sources)
    return [each.cpu_s for each in kept]


def test_a_call_costs_the_function_that_is_called_and_the_one_that_calls() -> None:
    left = left_s([stack(OWN, 1.0), stack(HELPER, 1.0)], [call(HELPER, 500_000)])
    assert left == [pytest.approx(0.75), pytest.approx(0.75)]


def test_what_does_not_fit_into_one_of_them_is_taken_from_the_other() -> None:
    left = left_s([stack(OWN, 1.0), stack(HELPER, 0.1)], [call(HELPER, 500_000)])
    assert left == [pytest.approx(1.0 - 0.41), pytest.approx(0.1 * LEAST_SHARE)]


def test_a_call_by_c_code_costs_less() -> None:
    left = left_s([stack(HELPER, 1.0)], [call(HELPER, 500_000, caller=SORTED)])
    assert left == [pytest.approx(0.8)]


def test_a_generator_costs_by_its_items() -> None:
    source = "\n" * 8 + "def helper():\n    yield 1\n"
    left = left_s([stack(OWN, 1.0), stack(HELPER, 1.0)], [call(HELPER, 500_000)], source=source)
    assert left == [pytest.approx(0.95), pytest.approx(0.95)]


def test_a_call_of_c_costs_the_function_that_calls() -> None:
    assert left_s([stack(OWN, 1.0)], [call(LEN, 1_000_000)]) == [pytest.approx(0.5)]


def test_calls_of_many_functions_in_turn_cost_more_than_calls_of_one() -> None:
    cost = CountingCost(
        python_s=0.0, from_c_s=0.0, resume_s=0.0, builtin_s=1e-7, clocked_s=0.0, doubling_s=1e-7,
        slowness=0.0,
    )  # fmt: skip
    others = [Function("~", 0, f"builtins.{at}") for at in range(8)]
    one = left_s([stack(OWN, 1.0)], [call(LEN, 800_000)], cost=cost)
    many = left_s([stack(OWN, 1.0)], [call(each, 100_000) for each in others], cost=cost)
    assert one == [pytest.approx(0.92)]
    assert many == [pytest.approx(0.92 - 0.8e-1 * 2.5)]


def test_time_in_c_is_not_taken_for_interpreting() -> None:
    left = left_s([stack(OWN, 1.0)], [call(LEN, 1, self_s=0.6)], cost=SLOW)
    assert left == [pytest.approx(0.6 + 0.4 / 2)]


def test_time_in_c_is_taken_as_the_cpu_that_it_had() -> None:
    busy = left_s([stack(OWN, 1.0, wall_s=8.0)], [call(LEN, 1, self_s=4.8)], cost=SLOW)
    assert busy == [pytest.approx(0.6 + 0.4 / 2)]


def test_waiting_in_c_is_not_taken_for_work() -> None:
    waiting = Stack(
        frames=(Frame(OWN, 5),),
        state="waiting",
        thread="MainThread",
        samples=9,
        wall_s=9.0,
        cpu_s=0.0,
    )
    left = left_s([stack(OWN, 1.0), waiting], [call(LEN, 1, self_s=9.0)], cost=SLOW)
    assert left == [pytest.approx(0.5), 0.0]


def test_instructions_that_lose_most_are_corrected_most() -> None:
    compares = """\
        def own(rows):
            for row in rows:
                if row > 5:
                    pass
        """
    formats = """\
        def own(rows):
            for row in rows:
                f"{row}{row}"
        """
    numbers = left_s([stack(OWN, 1.0)], [call(OWN, 1, caller=None)], cost=SLOW, source=compares)
    texts = left_s([stack(OWN, 1.0)], [call(OWN, 1, caller=None)], cost=SLOW, source=formats)
    assert numbers[0] < 0.6
    assert 0.75 < texts[0] < 1.0


def test_c_code_that_is_not_counted_is_not_taken_for_interpreting() -> None:
    source = """\
        def own(text):
            return Decoder(text)
        """
    left = left_s([stack(OWN, 1.0)], [call(OWN, 100, caller=None)], cost=SLOW, source=source)
    assert left == [pytest.approx(1.0, abs=0.001)]


def test_a_function_that_was_not_counted_keeps_its_time() -> None:
    assert left_s([stack(OWN, 1.0)], [], cost=SLOW) == [1.0]


def test_a_wait_stays_as_long_as_it_was() -> None:
    calls = [call(HELPER, 500_000, caller=None)]
    stacks = without_counting([stack(HELPER, 1.0, wall_s=3.0)], calls, cost=COST)
    assert stacks[0].wall_s == pytest.approx(2.8)


def test_a_sum_of_numbers_is_not_taken_for_a_text() -> None:
    source = """\
        def own(rows):
            total = 0
            for row in rows:

                total += row
        """
    left = left_s([stack(OWN, 1.0)], [call(OWN, 1, caller=None)], cost=SLOW, source=source)
    assert 0.4 < left[0] < 0.9


def test_a_search_by_an_operator_is_not_taken_for_interpreting() -> None:
    source = "def own(rows):\n\n\n\n    return 1 in rows\n"
    assert left_s([stack(OWN, 1.0)], [call(OWN, 10**8)], cost=SLOW, source=source) == [1.0]


def test_lines_that_search_or_copy_are_found() -> None:
    assert scanning_lines("text += more\nn = rows[1:]\nx not in rows\n") == {2, 3}


@pytest.mark.parametrize("source", ["def (", "\0", ""])
def test_what_is_no_python_has_no_such_lines(source: str) -> None:
    assert scanning_lines(source) == frozenset()
    assert left_s([stack(OWN, 1.0)], [call(OWN, 1)], cost=SLOW, source=source) == [0.5]


@given(
    st.lists(st.floats(0.001, 100.0), min_size=1, max_size=5),
    st.integers(0, 10**9),
    st.floats(0.0, 5.0),
)
def test_time_is_only_ever_taken_away(seconds: list[float], count: int, slowness: float) -> None:
    cost = CountingCost(
        python_s=1e-7, from_c_s=1e-7, resume_s=1e-7, builtin_s=1e-7, clocked_s=1e-8,
        doubling_s=1e-8, slowness=slowness,
    )  # fmt: skip
    before = [*(stack(OWN, each) for each in seconds), stack(HELPER, 1.0)]
    calls = [call(OWN, count, caller=HELPER), call(LEN, count), call(HELPER, count)]
    after = without_counting(before, calls, cost=cost)
    assert all(
        0.0 < new.cpu_s <= old.cpu_s and 0.0 <= new.wall_s <= old.wall_s + 1e-9
        for old, new in zip(before, after, strict=True)
    )


def test_counting_is_seen_to_cost_something_here() -> None:
    cost = measure_counting()
    assert min(cost.python_s, cost.from_c_s, cost.resume_s, cost.builtin_s) > 0.0
    assert cost.slowness >= 0.0
