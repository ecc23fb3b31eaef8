"""What counting calls adds is taken out again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.profiling import dilation
from perfwright.profiling.dilation import CountingCost, Lines, lines_of, without_counting
from perfwright.profiling.model import Call, Frame, Function, Stack

OWN = Function("/app/a.py", 1, "own")
HELPER = Function("/app/a.py", 9, "helper")
LEN = Function("~", 0, "builtins.len")
COST = CountingCost(python_s=1e-6, builtin_s=0.5e-6, interpreting_ratio=1.0)


def stack(function: Function, cpu_s: float, *, line: int = 5, wall_s: float | None = None) -> Stack:
    return Stack(
        frames=(Frame(function, line),),
        state="running",
        thread="MainThread",
        samples=1,
        wall_s=cpu_s if wall_s is None else wall_s,
        cpu_s=cpu_s,
    )


def call(callee: Function, count: int, *, caller: Function = OWN, self_s: float = 0.0) -> Call:
    return Call(caller=caller, callee=callee, count=count, self_s=self_s, cumulative_s=self_s)


def test_a_python_call_costs_the_function_that_is_called() -> None:
    stacks = without_counting(
        [stack(OWN, 1.0), stack(HELPER, 1.0)], [call(HELPER, 500_000)], cost=COST
    )
    assert [each.cpu_s for each in stacks] == [1.0, pytest.approx(0.5)]


def test_a_call_of_c_costs_the_function_that_calls() -> None:
    stacks = without_counting([stack(OWN, 1.0)], [call(LEN, 1_000_000)], cost=COST)
    assert stacks[0].cpu_s == pytest.approx(0.5)


def test_time_in_c_is_not_taken_for_interpreting() -> None:
    cost = CountingCost(python_s=0.0, builtin_s=0.0, interpreting_ratio=2.0)
    stacks = without_counting([stack(OWN, 1.0)], [call(LEN, 1, self_s=0.6)], cost=cost)
    assert stacks[0].cpu_s == pytest.approx(0.6 + 0.4 / 2)


def test_a_function_that_was_not_counted_keeps_its_time() -> None:
    assert without_counting([stack(OWN, 1.0)], [], cost=COST)[0].cpu_s == 1.0


def test_a_wait_stays_as_long_as_it_was() -> None:
    stacks = without_counting([stack(HELPER, 1.0, wall_s=3.0)], [call(HELPER, 500_000)], cost=COST)
    assert stacks[0].wall_s == pytest.approx(2.5)


@pytest.mark.skipif(not dilation.COPIES_TEXT, reason="only CPython 3.11 copies texts when counting")
def test_a_text_made_longer_is_given_what_other_lines_of_its_function_have() -> None:
    lines = {OWN.file: Lines(adding=frozenset({5}))}
    stacks = without_counting(
        [stack(OWN, 9.0, line=5), stack(OWN, 1.0, line=6)], [call(OWN, 1)], cost=COST, lines=lines
    )
    assert stacks[0].cpu_s == pytest.approx(stacks[1].cpu_s * 9.0 * dilation.LEAST_SHARE)


def test_a_search_by_an_operator_is_not_taken_for_interpreting() -> None:
    cost = CountingCost(python_s=0.0, builtin_s=0.0, interpreting_ratio=2.0)
    lines = {OWN.file: lines_of("def own(rows):\n\n\n\n    return 1 in rows\n")}
    kept = without_counting([stack(OWN, 1.0)], [call(OWN, 1)], cost=cost, lines=lines)
    assert kept[0].cpu_s == 1.0


def test_lines_are_found_by_what_they_do() -> None:
    found = lines_of("text += more\nself.text += more\nn = rows[1:]\nx not in rows\n")
    assert found == Lines(adding=frozenset({1}), scanning=frozenset({3, 4}))


@pytest.mark.parametrize("source", ["def (", "\0", ""])
def test_what_is_no_python_has_no_such_lines(source: str) -> None:
    assert lines_of(source) == Lines()


@given(
    st.lists(st.floats(0.001, 100.0), min_size=1, max_size=5),
    st.integers(0, 10**9),
    st.floats(1.0, 5.0),
)
def test_time_is_only_ever_taken_away(seconds: list[float], count: int, ratio: float) -> None:
    cost = CountingCost(python_s=1e-7, builtin_s=1e-7, interpreting_ratio=ratio)
    before = [stack(OWN, each) for each in seconds]
    after = without_counting(before, [call(OWN, count), call(LEN, count)], cost=cost)
    assert all(
        0.0 < new.cpu_s <= old.cpu_s and 0.0 <= new.wall_s <= old.wall_s + 1e-9
        for old, new in zip(before, after, strict=True)
    )


def test_counting_is_seen_to_cost_something_here() -> None:
    cost = dilation.measure_counting()
    assert cost.python_s > 0.0
    assert cost.interpreting_ratio >= 1.0
